package daemon

import (
	"fmt"
	"unicode/utf8"

	"curfew/internal/wording"
	"curfew/lcs/secret"
	"curfew/scheduler/web"
)

// SecretSource says where the secret of a variable is: in the variable, or in the file
// that NAME_FILE names. Both set is an error; neither makes a source that holds nothing.
func SecretSource(getenv func(string) string, name string) (secret.Source, error) {
	value, file := getenv(name), getenv(name+"_FILE")
	switch {
	case value != "" && file != "":
		return secret.Source{}, &SettingError{fmt.Errorf("%s and %s_FILE are both set; unset one of them", name, name)}
	case file != "":
		return secret.Source{File: file}, nil
	default:
		return secret.Source{Env: name, Getenv: getenv}, nil
	}
}

// ReadSecret reads the secret of a variable; it is empty when none is set.
func ReadSecret(getenv func(string) string, name string) (secret.Secret, error) {
	source, err := SecretSource(getenv, name)
	if err != nil || source.File == "" && getenv(name) == "" {
		return secret.Secret{}, err
	}
	s, err := source.Read()
	if err != nil {
		return secret.Secret{}, fmt.Errorf("%s: %w", SecretVariable(getenv, name), err)
	}
	return s, nil
}

// SecretVariable returns which variable a secret is set by: NAME, or NAME_FILE.
func SecretVariable(getenv func(string) string, name string) string {
	if getenv(name+"_FILE") != "" {
		return name + "_FILE"
	}
	return name
}

// apiToken returns the API token, which a daemon reads again at each use; nil when none is
// set. One that could be guessed is refused.
func apiToken(getenv func(string) string) (func() (secret.Secret, error), error) {
	const name = "CURFEW_API_TOKEN"
	token, err := ReadSecret(getenv, name)
	if err != nil {
		return nil, err
	}
	n := utf8.RuneCountInString(token.Reveal())
	switch {
	case n == 0:
		return nil, nil
	case n < web.ShortestToken:
		return nil, &SettingError{fmt.Errorf("%s has %s; want %d at least, such as openssl rand -hex 32 prints", name, wording.Count(n, "character"), web.ShortestToken)}
	}
	return func() (secret.Secret, error) { return ReadSecret(getenv, name) }, nil
}

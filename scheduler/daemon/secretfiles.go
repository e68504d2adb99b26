package daemon

import (
	"slices"

	"go.uber.org/zap"

	"curfew/lcs/secret"
	"curfew/scheduler/config"
)

// exposedFiles warns of secret files that every user of the machine can read, each once.
type exposedFiles struct {
	getenv func(string) string
	log    *zap.Logger
	warned map[string]bool // written by one load at a time
}

func newExposedFiles(getenv func(string) string, log *zap.Logger) *exposedFiles {
	return &exposedFiles{getenv, log, map[string]bool{}}
}

// warn reads the modes of the secret files of a schedule file and of the variables.
func (o *exposedFiles) warn(cfg *config.Config) {
	for _, file := range o.of(cfg) {
		if !o.warned[file] && secret.OpenToAll(file) {
			o.warned[file] = true
			o.log.Warn("every user of this machine can read a secret file; take their access away, such as with chmod 600", zap.String("file", file))
		}
	}
}

func (o *exposedFiles) of(cfg *config.Config) []string {
	var files []string
	for _, name := range []string{"CURFEW_API_TOKEN_FILE", "CURFEW_DATABASE_FILE", "CURFEW_SECRET_KEY_FILE"} {
		files = append(files, o.getenv(name))
	}
	refs := []*config.SecretRef{}
	for _, a := range cfg.Accounts {
		refs = append(refs, a.Password, a.ClientSecret, a.Token)
	}
	for i := range cfg.Notify {
		refs = append(refs, &cfg.Notify[i].URL)
	}
	if cfg.Access != nil {
		refs = append(refs, cfg.Access.ClientSecret)
	}
	for _, r := range refs {
		if r != nil {
			files = append(files, r.File)
		}
	}
	slices.Sort(files)
	return slices.DeleteFunc(slices.Compact(files), func(file string) bool { return file == "" })
}

package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"curfew/lcs/lcssim"
	"curfew/lcs/secret"
)

func TestShapesOfCredentialsAreRedacted(t *testing.T) {
	const (
		jwt   = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL2xjcyJ9.c2lnbmF0dXJl"
		basic = "c3ZjLXByb3h5OnByMHh5LXBhc3N3MHJk"
	)
	tests := []struct{ name, text, want string }{
		{"a header", "headers: Authorization: Bearer opaque-1; Accept: */*", "headers: Authorization: Bearer REDACTED; Accept: */*"},
		{"a header without a scheme", "authorization=opaque; x", "authorization=REDACTED; x"},
		{"a header in JSON", `{"Authorization":["Bearer abc"],"Accept":"*/*"}`, `{"Authorization":["Bearer REDACTED"],"Accept":"*/*"}`},
		{"a header in JSON in JSON", `{\"Proxy-Authorization\": \"Basic abc\"}`, `{\"Proxy-Authorization\": \"Basic REDACTED\"}`},
		{"a header of API keys", "X-Api-Key: k1, next", "X-Api-Key: REDACTED, next"},
		{"cookies, all of them", `"Cookie": "a=1; b=2"`, `"Cookie": "REDACTED"`},
		{"a scheme and a token", "token Bearer 0paque-token refused", "token Bearer REDACTED refused"},
		{"a proxy's credentials", "407 wrong: Basic " + basic + "=", "407 wrong: Basic REDACTED"},
		{"a scheme and a word", "Basic authentication, a bearer token.", "Basic authentication, a bearer token."},
		{"a JSON web token", "got " + jwt + ", expired", "got REDACTED, expired"},
		{"a JSON web token that was cut off", "got " + jwt[:30] + "…", "got REDACTED…"},
		{"the user of an address", "get https://u:pw@host/path failed", "get https://REDACTED@host/path failed"},
		{"a password with an at sign and a slash", "postgres://u:p/w@x@db/curfew", "postgres://REDACTED@db/curfew"},
		{"an address with one slash", "postgres:/u:PW@h", "postgres:/REDACTED@h"},
		{"an address that is redacted already", "postgres://curfew:REDACTED@db/curfew", "postgres://curfew:REDACTED@db/curfew"},
		{"an address that is an example", "want postgres://USER:PASSWORD@HOST/DATABASE", "want postgres://USER:PASSWORD@HOST/DATABASE"},
		{"an address without a user", "https://host/a?b=c, anna@contoso.com", "https://host/a?b=c, anna@contoso.com"},
		{"a signature in an address", "https://x.logic.azure.com/w/invoke?sp=1&sig=AbC%2B", "https://x.logic.azure.com/w/invoke?sp=1&sig=REDACTED"},
		{"a code in an address", "/callback?code=abc&state=x", "/callback?code=REDACTED&state=x"},
		{"a code elsewhere", "exit code=1", "exit code=1"},
		{"a connection string", "host=db user=curfew password=pw dbname=x", "host=db user=curfew password=REDACTED dbname=x"},
		{"a connection string with quotes", "host=db password='p w' dbname=x", "host=db password=REDACTED dbname=x"},
		{"a form", "grant_type=password&client_secret=abc&refresh_token=def", "grant_type=password&client_secret=REDACTED&refresh_token=REDACTED"},
		{"an answer of a token endpoint", `{"access_token":"abc","expires_in":3600,"refresh_token" : "d e"}`, `{"access_token":"REDACTED","expires_in":3600,"refresh_token" : "REDACTED"}`},
		{"SOAP", "<o:Password Type=\"x\">hunter2</o:Password>", "<o:Password Type=\"x\">REDACTED</o:Password>"},
		{"SOAP without attributes", "<o:Password>hunter2</o:Password>", "<o:Password>REDACTED</o:Password>"},
		{"what is no credential", "run stop-1: the password of main is not set; want {env: NAME}", "run stop-1: the password of main is not set; want {env: NAME}"},
	}
	for _, tt := range tests {
		got := secret.Redact(tt.text)
		if got != tt.want {
			t.Errorf("%s: Redact(%q) = %q, want %q", tt.name, tt.text, got, tt.want)
		}
		if again := secret.Redact(got); again != got {
			t.Errorf("%s: Redact(%q) = %q, want it as it is", tt.name, got, again)
		}
	}
}

func TestSecretsThatWereReadAreRedactedInEachForm(t *testing.T) {
	const text = `kn0wn "pass\word" & <more>/ü`
	file := filepath.Join(t.TempDir(), "lcs-password")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (secret.Source{File: file}).Read(); err != nil {
		t.Fatal(err)
	}
	escaped, err := json.Marshal(map[string]string{"x": "it is " + text + "!"})
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{"plain": "it is " + text, "JSON": string(escaped)}
	for _, before := range []string{"", "u:", "svc:", "user:"} {
		shown["base64 after "+before] = base64.StdEncoding.EncodeToString([]byte(before + text + "\n"))
	}
	for name, s := range shown {
		got := secret.Redact(s)
		if !strings.Contains(got, "REDACTED") || len(lcssim.Leaks(map[string]string{name: got}, []string{text})) > 0 {
			t.Errorf("%s: Redact(%q) = %q", name, s, got)
		}
	}
}

func TestOnlyTheSecretPartsOfAnAddressAreRedacted(t *testing.T) {
	s := secret.Source{Env: "DSN", Getenv: func(string) string { return "postgres://curfew:dsn-passw0rd@db.internal/curfew" }, Parts: func(string) []string { return []string{"dsn-passw0rd"} }}
	if _, err := s.Read(); err != nil {
		t.Fatal(err)
	}
	if got, want := secret.Redact("no dsn-passw0rd at db.internal/curfew"), "no REDACTED at db.internal/curfew"; got != want {
		t.Errorf("Redact = %q, want %q", got, want)
	}
}

func TestShortSecretsLeaveWordsAsTheyAre(t *testing.T) {
	secret.Hide("curfew", "dev")
	if got := secret.Redact("curfew stop dev-01"); got != "curfew stop dev-01" {
		t.Errorf("Redact = %q", got)
	}
}

// Whatever a log is given is redacted, and a log in JSON stays JSON.
func TestLogsAreRedacted(t *testing.T) {
	const text = "known-log-secret-1"
	secret.Hide(text)
	for name, fields := range map[string][]zap.Field{
		"the message alone":  nil,
		"a text":             {zap.String("s", text)},
		"an error":           {zap.Error(errors.New("refused " + text))},
		"what has a String":  {zap.Stringer("s", &url.URL{Scheme: "https", Host: "host", Path: text})},
		"a list":             {zap.Strings("s", []string{"a", text})},
		"bytes":              {zap.ByteString("s", []byte(text))},
		"any struct":         {zap.Any("s", struct{ T string }{text})},
		"a dictionary":       {zap.Dict("s", zap.String("t", text))},
		"a shape":            {zap.String("s", "password=")},
		"what has no secret": {zap.Int("n", 3), zap.Duration("d", time.Second), zap.Time("t", time.Unix(0, 0))},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			log := zap.New(secret.Core(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&out), zap.InfoLevel)))
			log.Debug("not enabled")
			log.With(fields...).Info("said " + text)
			log.Info("said "+text, fields...)
			if n := strings.Count(out.String(), "\n"); n != 2 || len(lcssim.Leaks(map[string]string{"the log": out.String()}, []string{text})) > 0 {
				t.Errorf("of 2 lines without the secret the log has %d: %s", n, &out)
			}
			for line := range strings.Lines(out.String()) {
				var parsed map[string]any
				if err := json.Unmarshal([]byte(line), &parsed); err != nil || len(parsed) != 3+len(fields) {
					t.Errorf("%s: %v; want level, ts, msg and %d fields", line, err, len(fields))
				}
			}
		})
	}
}

// Redaction is stable, and leaves nothing of what was hidden.
func FuzzRedact(f *testing.F) {
	for _, s := range []string{
		`password=`, `password="x`, `password='`, `<token>`, `"token":"`, `cookie:`, `Authorization:`, `https://u:p@h`, `Bearer abcDEF123456`, "token=\\", `x@y:/`, `basic "`, "fuzz-known-secret",
	} {
		f.Add(s)
	}
	secret.Hide("fuzz-known-secret")
	f.Fuzz(func(t *testing.T, text string) {
		once := secret.Redact(text)
		if strings.Contains(once, "fuzz-known-secret") {
			t.Errorf("Redact(%q) = %q", text, once)
		}
		if twice := secret.Redact(once); strings.Count(twice, "REDACTED") > 0 && !strings.Contains(once, "REDACTED") {
			t.Errorf("Redact(%q) = %q, and of that %q", text, once, twice)
		}
	})
}

func BenchmarkRedact(b *testing.B) {
	for i := range 20 {
		secret.Hide(strings.Repeat("known-secret-", 3) + string(rune('a'+i)))
	}
	for name, text := range map[string]string{
		"a name":        "contoso-dev-01",
		"a line of log": `{"level":"info","ts":"2026-11-28T08:00:00Z","logger":"engine","msg":"run succeeded","environment":"dev-01","run_id":"01a20a66-0000-7000-8000-000000000003","message":"metadata shows Stopped (Stopped)"}`,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				secret.Redact(text)
			}
		})
	}
}

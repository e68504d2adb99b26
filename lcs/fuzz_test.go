package lcs

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
)

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "267", "1.5", "-3", "NaN", "Inf", "1e400", "99999999999", "Mon, 23 Nov 2026 19:00:00 GMT", "later"} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 23, 18, 58, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := retryAfter(s, now)
		if d < 0 || d > centuries || !ok && d != 0 {
			t.Errorf("retryAfter(%q) = %v, %t", s, d, ok)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 18, 58, 0, 0, time.UTC)
	tests := []struct {
		value string
		want  time.Duration
		ok    bool
	}{
		{"267", 267 * time.Second, true},
		{" 5 ", 5 * time.Second, true},
		{"0", 0, true},
		{"1.2", 2 * time.Second, true},
		{"Mon, 23 Nov 2026 19:00:00 GMT", 2 * time.Minute, true},
		{"Mon, 23 Nov 2026 18:00:00 GMT", 0, true},
		{"999999999", 999999999 * time.Second, true},
		{"1e300", centuries, true},
		{"-1", 0, false},
		{"NaN", 0, false},
		{"soon", 0, false},
		{"", 0, false},
	}
	for _, tt := range tests {
		if got, ok := retryAfter(tt.value, now); got != tt.want || ok != tt.ok {
			t.Errorf("retryAfter(%q) = %v, %t; want %v, %t", tt.value, got, ok, tt.want, tt.ok)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		`{"IsSuccess":true,"OperationActivityId":"x","ErrorMessage":null,"VersionEOL":"9999-12-31T23:59:59.9999999"}`,
		`{"ResultPageCurrent":1,"ResultHasMorePages":false,"Data":[{"EnvironmentId":null,"CanStart":null}],"IsSuccess":true}`,
		`{"ResultHasMorePages":{},"Data":[{"EnvironmentId":5,"ProjectId":"7","CanStop":"TRUE"},{"EnvironmentId":"5"},7,null],"IsSuccess":true}`,
		`{"IsSuccess":"yes"}`, `{"Data":null,"IsSuccess":true}`, `[]`, `null`, `<html>`, ``, `{"Message":"\u0000\u001b[31m","LcsErrorCode":5}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var a struct {
			envelope
			paging
			Data []json.RawMessage
		}
		if decode(body, &a) == nil {
			list, unreadable := rowsOf(a.Data)
			if len(list)+unreadable > len(a.Data) {
				t.Errorf("rowsOf(%q) = %d environments and %d unreadable rows", body, len(list), unreadable)
			}
			seen := map[string]bool{}
			for _, env := range list {
				_ = env.Condition()
				if id := NormalizeID(env.ID); id == "" || seen[id] {
					t.Errorf("rowsOf(%q) has id %q, which is empty or there twice", body, id)
				}
				seen[NormalizeID(env.ID)] = true
				if s := env.ID + env.Name + env.DeploymentState + env.DeploymentStatusDisplay; strings.ContainsFunc(s, unicode.IsControl) {
					t.Errorf("rowsOf(%q) keeps a control character in %q", body, s)
				}
			}
		}
		e := &Error{Kind: Invalid, Op: "stop"}
		e.explain(body)
		if s := e.Error(); strings.ContainsFunc(s, unicode.IsControl) || len([]rune(s)) > messageRunes+200 {
			t.Errorf("Error() = %q", s)
		}
	})
}

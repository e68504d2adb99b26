package lcssim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs/lcssim"
)

func post(t *testing.T, e *lcssim.Entra, path string, form url.Values) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, "https://login.invalid"+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := e.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s = %q: %v", path, b, err)
	}
	return res.StatusCode, v
}

func TestTokenEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := lcssim.NewEntra(lcssim.EntraOptions{Users: map[string]string{"u": "p"}, Lifetime: time.Hour})
		sim := lcssim.New(lcssim.Options{Entra: e})
		sim.AddProject(1)
		ask := func(token string) int {
			req, err := http.NewRequest(http.MethodGet, "https://lcs.invalid/environmentinfo/v1/detail/project/1/?page=1", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			res, err := sim.Transport().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			return res.StatusCode
		}
		password := url.Values{"grant_type": {"password"}, "username": {"u"}, "password": {"p"}, "scope": {"offline_access"}}
		status, v2 := post(t, e, "/contoso/oauth2/v2.0/token", password)
		if _, number := v2["expires_in"].(float64); status != 200 || !number {
			t.Errorf("v2 = %d %v, want a number of seconds", status, v2)
		}
		_, v1 := post(t, e, "/common/oauth2/token", password)
		if _, text := v1["expires_in"].(string); !text || v1["expires_on"] == nil {
			t.Errorf("v1 = %v, want numbers as strings", v1)
		}
		access := v2["access_token"].(string)
		if got := ask(access); got != 200 {
			t.Errorf("LCS with a good token = %d", got)
		}
		time.Sleep(time.Hour)
		if got := ask(access); got != 401 {
			t.Errorf("LCS with an expired token = %d, want 401", got)
		}
		refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {v2["refresh_token"].(string)}}
		if status, _ := post(t, e, "/contoso/oauth2/v2.0/token", refresh); status != 200 {
			t.Errorf("refresh = %d", status)
		}
		e.Revoke()
		if status, v := post(t, e, "/contoso/oauth2/v2.0/token", refresh); status != 400 || v["error"] != "invalid_grant" {
			t.Errorf("refresh after a revocation = %d %v", status, v)
		}
	})
}

func TestDeviceCodeWaitsForThePerson(t *testing.T) {
	e := lcssim.NewEntra(lcssim.EntraOptions{})
	_, device := post(t, e, "/contoso/oauth2/v2.0/devicecode", url.Values{"client_id": {"x"}})
	form := url.Values{"grant_type": {"device_code"}, "device_code": {device["device_code"].(string)}, "client_id": {"x"}}
	if status, v := post(t, e, "/contoso/oauth2/v2.0/token", form); status != 400 || v["error"] != "authorization_pending" {
		t.Errorf("before the code was entered = %d %v", status, v)
	}
	e.EnterCode("u")
	if status, v := post(t, e, "/contoso/oauth2/v2.0/token", form); status != 200 || v["access_token"] == nil {
		t.Errorf("after the code was entered = %d %v", status, v)
	}
}

package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauth2-proxy/mockoidc"

	"curfew/scheduler/config"
	"curfew/scheduler/web/api"
)

// An office is a site whose people can sign in: anna is an operator, rita a requester of
// dev-00 with two hours a week, vera a viewer.
type office struct {
	*site
	provider *mockoidc.MockOIDC
	public   string
}

func newOffice(t *testing.T, schedules string) *office {
	t.Helper()
	provider, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = provider.Shutdown() })
	o := &office{site: newSite(t, schedules), provider: provider}
	o.public = o.publish()
	o.write("oidc-secret", provider.ClientSecret)
	o.write("schedules.yaml", o.file(schedules)+`access:
  issuer: `+provider.Issuer()+`
  client_id: `+provider.ClientID+`
  client_secret: {file: `+o.dir+`/oidc-secret}
  viewer: ["*"]
  requester: [{who: ["rita@contoso.com"], environments: [dev-00], hours_per_week: 2}]
  operator: ["anna@contoso.com"]
`)
	o.start()
	untilSeen(t, o.public)
	return o
}

// A person is somebody's browser.
type person struct {
	o      *office
	client *http.Client
}

// signIn signs somebody in; nobody with an empty name.
func (o *office) signIn(name string) *person {
	o.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		o.t.Fatal(err)
	}
	p := &person{o, &http.Client{Jar: jar}}
	if name == "" {
		return p
	}
	email := name + "@contoso.com"
	o.provider.QueueUser(&mockoidc.MockUser{Subject: name, Email: email, EmailVerified: true, PreferredUsername: email})
	if _, said := p.get("/login?next=/me"); !strings.Contains(said, email) {
		o.t.Fatalf("after signing %s in, the page says\n%s", name, said)
	}
	return p
}

func (p *person) get(path string) (int, string) {
	p.o.t.Helper()
	return p.do(http.MethodGet, path, nil)
}

// post sends a form as a page of the daemon itself does.
func (p *person) post(path string, form url.Values) (int, string) {
	p.o.t.Helper()
	return p.do(http.MethodPost, path, form)
}

func (p *person) do(method, path string, form url.Values) (int, string) {
	p.o.t.Helper()
	req, err := http.NewRequestWithContext(p.o.t.Context(), method, p.o.public+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.o.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		req.Header.Set("Origin", p.o.public)
	}
	res, err := p.client.Do(req)
	if err != nil {
		p.o.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.o.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// shows fails the test unless a page has each text, and none of those that begin with "not ".
func (p *person) shows(what, page string, texts ...string) {
	p.o.t.Helper()
	for _, text := range texts {
		absent, not := strings.CutPrefix(text, "not ")
		if strings.Contains(page, absent) == not {
			p.o.t.Errorf("%s: want %q; the page is\n%s", what, text, page)
		}
	}
}

func (o *office) audit() []api.AuditEntry {
	o.t.Helper()
	return items[api.AuditEntry](o.site, "audit")
}

func TestFormsDoWhatTheySay(t *testing.T) {
	t.Parallel()
	o := newOffice(t, never())
	anna := o.signIn("anna")
	_, page := anna.get("/environments/dev-00")
	anna.shows("the page of an environment", page, "Start now", "Stop now", "Keep running", "Keep until a time", "Skip ", "until ", "anna@contoso.com")
	until := regexp.MustCompile(`name="until" value="([^"]+)">1 h`).FindStringSubmatch(page)
	if until == nil {
		t.Fatalf("the page offers no hour:\n%s", page)
	}

	var all sync.WaitGroup // a click that was repeated
	for range 10 {
		all.Go(func() {
			if status, said := anna.post("/environments/dev-00/keep", url.Values{"until": {until[1]}, "keep": {"running"}, "reason": {"a demo, \"live\""}}); status != http.StatusOK {
				t.Errorf("keep = %d %s", status, said)
			}
		})
	}
	all.Wait()
	list := o.overrides()
	if len(list) != 1 || list[0].By != "anna@contoso.com" || list[0].Until.Format(time.RFC3339) != until[1] {
		t.Fatalf("ten posts made %+v, want one override of anna's until %s", list, until[1])
	}
	_, page = anna.get("/environments/dev-00")
	anna.shows("with an override", page, "a demo", "Release")
	entry := regexp.MustCompile(`<code>(- \{.*\})</code>`).FindStringSubmatch(page)
	if entry == nil {
		t.Fatalf("the page shows no exception:\n%s", page)
	}
	text := o.file(never()) + "exceptions:\n  " + strings.NewReplacer("&#34;", `"`, "&#43;", "+").Replace(entry[1]) + "\n"
	cfg, diags := config.Parse("pasted", []byte(text), o.dir, config.Options{})
	if diags.HasErrors() || len(cfg.Exceptions) != 1 || !cfg.Exceptions[0].Until.Equal(list[0].Until) || cfg.Exceptions[0].Reason != `a demo, "live"` {
		t.Errorf("the exception %s is read as %+v, %v", entry[1], cfg.Exceptions, diags)
	}

	says := make(chan string, 2)
	for range cap(says) { // a double click
		all.Go(func() {
			_, said := anna.post("/environments/dev-01/start", nil)
			says <- said
		})
	}
	all.Wait()
	first, second := <-says, <-says
	if added := "you have asked for it already"; strings.Contains(first, added) == strings.Contains(second, added) {
		t.Errorf("a double click says\n%s\nand\n%s", first, second)
	}
	if runs := items[api.Run](o.site, "runs?environment=dev-01"); len(runs) != 1 {
		t.Errorf("a double click makes the runs %+v", runs)
	}

	for _, tt := range []struct {
		name, path string
		form       url.Values
		says       string
	}{
		{"release", "/environments/dev-00/release", url.Values{"override": {list[0].ID}}, "The override of dev-00 is released"},
		{"skip", "/environments/dev-00/skip", nil, "The stop is left out: dev-00 is kept running until"},
		{"skip again", "/environments/dev-00/skip", nil, "Nothing was added"},
		{"stop", "/environments/dev-01/stop", nil, "A stop was asked for"},
		{"start several", "/selected", url.Values{"do": {"start"}, "environment": {"dev-00", "dev-01"}, "filter": {"project=contoso"}}, "A start of 2 environments was asked for"},
		{"keep several until a time", "/selected", url.Values{"do": {"keep"}, "keep": {"stopped"}, "environment": {"dev-00", "dev-01"}, "at": {time.Now().UTC().Add(time.Hour).Format("2006-01-02T15:04")}}, "dev-00, dev-01 are kept stopped until"},
	} {
		status, said := anna.post(tt.path, tt.form)
		if status != http.StatusOK {
			t.Errorf("%s = %d", tt.name, status)
		}
		anna.shows(tt.name, said, `role="status"`, tt.says)
	}
	var did []string
	for _, e := range o.audit() {
		if e.By != "anna@contoso.com" || !strings.HasPrefix(e.From, "127.0.0.1:") {
			t.Errorf("the audit has %+v, want it by anna from her address", e)
		}
		did = append(did, e.Action)
	}
	if got := strings.Join(did, " "); got != "keep start start stop skip release start keep" {
		t.Errorf("the audit has %s", got)
	}
}

func TestFormsThatFailSayWhatToDo(t *testing.T) {
	t.Parallel()
	o := newOffice(t, never())
	anna, rita, vera := o.signIn("anna"), o.signIn("rita"), o.signIn("vera")
	late := time.Now().Add(3 * time.Hour).Format(time.RFC3339)
	soon := time.Now().Add(time.Hour).Truncate(time.Second).Format(time.RFC3339)
	for _, tt := range []struct {
		name   string
		who    *person
		path   string
		form   url.Values
		status int
		says   string
	}{
		{"an end that is over", anna, "/environments/dev-00/keep", url.Values{"until": {"2020-01-01T00:00:00Z"}}, 400, "is not after its start"},
		{"an end that is none", anna, "/environments/dev-00/keep", url.Values{"at": {"tomorrow"}}, 400, "until: want a day and a time"},
		{"an end too far away", anna, "/environments/dev-00/keep", url.Values{"at": {"2099-01-01T00:00"}}, 400, "more than 31 days"},
		{"an environment that is not there", anna, "/environments/dev-99/start", nil, 404, "There is no such environment"},
		{"something to do that nobody knows", anna, "/selected", url.Values{"do": {"explode"}, "environment": {"dev-00"}}, 400, "what to do is not known"},
		{"an override that is not there", anna, "/environments/dev-00/release", url.Values{"override": {"nobody"}}, 404, "no such override"},
		{"a run that is not there", anna, "/runs/01a20a66-0000-7000-8000-000000000003/cancel", nil, 404, "no such run"},
		{"no environment marked", anna, "/selected", url.Values{"do": {"start"}}, 400, "no environment is selected"},
		{"a requester who stops", rita, "/environments/dev-00/stop", nil, 403, "to stop dev-00, ask somebody with the role operator"},
		{"a requester who keeps stopped", rita, "/environments/dev-00/keep", url.Values{"until": {soon}, "keep": {"stopped"}}, 403, "to keep dev-00 stopped"},
		{"a requester elsewhere", rita, "/environments/dev-01/start", nil, 403, "may not start dev-01"},
		{"a requester beyond the hours", rita, "/environments/dev-00/keep", url.Values{"until": {late}}, 403, "and has 2 h left"},
		{"a viewer", vera, "/environments/dev-00/keep", url.Values{"until": {soon}}, 403, "vera@contoso.com may read only"},
		{"a viewer of a run", vera, "/runs/01a20a66-0000-7000-8000-000000000003/cancel", nil, 403, "vera@contoso.com may read only"},
	} {
		status, said := tt.who.post(tt.path, tt.form)
		if status != tt.status {
			t.Errorf("%s = %d, want %d", tt.name, status, tt.status)
		}
		tt.who.shows(tt.name, said, tt.says, "Nothing was changed")
	}
	if list := o.overrides(); len(list) > 0 {
		t.Errorf("there are the overrides %+v", list)
	}
	if list := o.audit(); len(list) > 0 {
		t.Errorf("the audit has %+v", list)
	}
}

func TestPagesShowTheFormsThatSomebodyMayUse(t *testing.T) {
	t.Parallel()
	o := newOffice(t, never())
	people := map[string]*person{}
	for _, name := range []string{"", "vera", "rita", "anna"} {
		people[name] = o.signIn(name)
	}
	for _, tt := range []struct {
		who, path string
		texts     []string
	}{
		{"", "/environments/dev-00", []string{"not Start now", "Sign in, or send the API token", `href="/login?next=%2Fenvironments%2Fdev-00"`}},
		{"vera", "/environments/dev-00", []string{"not Start now", "not Keep running", "vera@contoso.com may read only", "not href=\"/login"}},
		{"vera", "/", []string{"not type=\"checkbox\""}},
		{"rita", "/environments/dev-00", []string{"not Start now", "and has 2 h left", "Keep running", "not Stop now", "not <option>stopped", "ask somebody with the role operator", "1 h"}},
		{"rita", "/environments/dev-01", []string{"not Start now", "not Keep running<", "may not start dev-01"}},
		{"anna", "/environments/dev-01", []string{"Start now", "Stop now", "<option>stopped"}},
		{"anna", "/?project=contoso", []string{`type="checkbox" form="selected" name="environment" value="dev-00"`, `name="filter" value="project=contoso"`, "/?project=contoso&amp;select=all", "not checked"}},
		{"anna", "/?select=all", []string{"checked"}},
		{"anna", "/selected?do=keep&environment=dev-00&environment=dev-01&filter=project%3Dcontoso", []string{"2 environments", "Keep running", "1 h", `action="/selected"`, `href="/?project=contoso"`}},
		{"anna", "/selected?do=stop", []string{"No environment is marked"}},
		{"anna", "/me", []string{"anna@contoso.com", "operator", "<code>anna@contoso.com</code>", "Sign out"}},
		{"rita", "/me", []string{"requester", "Hours this week", "2 h", "dev-00"}},
		{"vera", "/me", []string{"viewer", "<code>*</code>", "not Hours this week"}},
		{"", "/me", []string{"Nobody is signed in", `href="/login?next=/me"`, "not Sign out"}},
	} {
		who := people[tt.who]
		status, page := who.get(tt.path)
		if status != http.StatusOK {
			t.Errorf("%s for %q = %d", tt.path, tt.who, status)
		}
		who.shows(tt.path+" for "+tt.who, page, tt.texts...)
	}
}

func TestPagesOfAFileWithoutAccessOnlyShow(t *testing.T) {
	t.Parallel()
	s := newSite(t, never())
	s.start()
	for path, says := range map[string]string{"/environments/dev-00": "the schedule file has no access section", "/me": "nobody can: the schedule file has no access section"} {
		if page := s.get(path); !strings.Contains(page, says) || strings.Contains(page, `method="post"`) {
			t.Errorf("%s is\n%s", path, page)
		}
	}
	res, err := http.Post("http://"+s.listen+"/environments/dev-00/start", "application/x-www-form-urlencoded", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("a form without access = %d, want 403", res.StatusCode)
	}
	s.stop()
}

func TestCalendarNeedsItsKeyAlone(t *testing.T) {
	t.Parallel()
	o := newOffice(t, never())
	anna, vera, nobody := o.signIn("anna"), o.signIn("vera"), o.signIn("")
	if status, said := anna.post("/environments/dev-01/keep", url.Values{"at": {time.Now().UTC().Add(2 * time.Hour).Format("2006-01-02T15:04")}, "reason": {"a demo; live"}}); status != http.StatusOK {
		t.Fatalf("keep = %d %s", status, said)
	}
	keyOf := func(p *person) string {
		t.Helper()
		status, page := p.post("/me/keys", nil)
		key := regexp.MustCompile(`/calendar\.ics\?key=[A-Z2-7]{26}`).FindString(page)
		if status != http.StatusOK || key == "" {
			t.Fatalf("making a key = %d %s", status, page)
		}
		if _, again := p.get("/me"); strings.Contains(again, key) {
			t.Error("the key is shown again")
		}
		return key
	}
	key := keyOf(vera)
	status, feed := nobody.get(key)
	if status != http.StatusOK {
		t.Fatalf("the calendar = %d %s", status, feed)
	}
	nobody.shows("the calendar", feed, "BEGIN:VCALENDAR\r\n", "SUMMARY:stop dev-00", "SUMMARY:keep running dev-01", `a demo\; live`, "END:VCALENDAR\r\n")
	_, page := anna.get("/me")
	id := regexp.MustCompile(`/me/keys/([a-z2-7]{8})/revoke`).FindStringSubmatch(page)
	if id == nil {
		t.Fatalf("an operator does not see the key of another:\n%s", page)
	}
	rita := o.signIn("rita")
	if status, _ := rita.post("/me/keys/"+id[1]+"/revoke", nil); status != http.StatusNotFound {
		t.Errorf("a requester revokes the key of another: %d, want 404", status)
	}
	if status, _ := nobody.get(key); status != http.StatusOK {
		t.Errorf("the calendar = %d after somebody else tried to revoke its key", status)
	}
	_, said := anna.post("/me/keys/"+id[1]+"/revoke", nil)
	anna.shows("revoking", said, "The calendar key is revoked")
	if status, _ := nobody.get(key); status != http.StatusNotFound {
		t.Errorf("the calendar of a revoked key = %d, want 404", status)
	}
	var did []string
	for _, e := range o.audit() {
		did = append(did, e.Action+" by "+e.By)
	}
	if got := strings.Join(did, ", "); got != "revoke-calendar-key by anna@contoso.com, make-calendar-key by vera@contoso.com, keep by anna@contoso.com" {
		t.Errorf("the audit has %s", got)
	}
	right := keyOf(anna)
	for range 10 {
		status, _ = nobody.get("/calendar.ics?key=wrong")
	}
	if status != http.StatusTooManyRequests {
		t.Errorf("after many wrong keys = %d, want 429", status)
	}
	if status, _ := nobody.get(right); status != http.StatusTooManyRequests {
		t.Errorf("a right key after many wrong ones = %d, want 429", status)
	}
	showsNone(t, o.shown(), []string{strings.TrimPrefix(key, "/calendar.ics?key="), strings.TrimPrefix(right, "/calendar.ics?key=")})
}

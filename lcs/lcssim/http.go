package lcssim

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// errReset is what a caller sees of a connection that LCS drops.
var errReset = fmt.Errorf("read: %w", syscall.ECONNRESET)

// A reply is an answer before it is written.
type reply struct {
	status int
	header http.Header
	body   []byte
	delay  time.Duration
	reset  bool
	bad    bool // the certificate
	cut    bool // the body is shorter than announced
}

// Handler serves the simulator over a socket.
func (s *Sim) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r := s.serve(req)
		if !pause(req.Context(), r.delay) {
			return
		}
		if r.reset {
			drop(w)
			return
		}
		writeReply(w, r)
	})
}

func writeReply(w http.ResponseWriter, r reply) {
	maps.Copy(w.Header(), r.header)
	if r.cut {
		w.Header().Set("Content-Length", strconv.Itoa(len(r.body)))
		r.body = r.body[:len(r.body)/2]
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body)
	if r.cut {
		drop(w)
	}
}

// drop ends the connection without an answer.
func drop(http.ResponseWriter) { panic(http.ErrAbortHandler) }

// A Transport carries requests to the simulator in memory. It is an
// http.RoundTripper and an azcore policy.Transporter.
type Transport struct{ sim *Sim }

// Transport returns the in-memory transport to the simulator.
func (s *Sim) Transport() *Transport { return &Transport{s} }

// Do is RoundTrip by the name that azcore wants.
func (t *Transport) Do(req *http.Request) (*http.Response, error) { return t.RoundTrip(req) }

// RoundTrip answers one request.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	r := t.sim.serve(req)
	if !pause(req.Context(), r.delay) {
		return nil, req.Context().Err()
	}
	if r.reset {
		return nil, errReset
	}
	if r.bad {
		return nil, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	}
	return responseOf(r, req), nil
}

func responseOf(r reply, req *http.Request) *http.Response {
	var body io.Reader = bytes.NewReader(r.body)
	if r.cut {
		body = io.MultiReader(bytes.NewReader(r.body[:len(r.body)/2]), broken{})
	}
	return &http.Response{
		Status: http.StatusText(r.status), StatusCode: r.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: r.header, Body: io.NopCloser(body), ContentLength: int64(len(r.body)), Request: req,
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// pause waits, and reports whether the caller is still there.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// serve answers a request and records it.
func (s *Sim) serve(req *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opts.Now()
	r, err := s.parse(req, now)
	if err != nil {
		return text(http.StatusNotFound, "text/html", "<html><body>Not found</body></html>")
	}
	r.ActivityID = s.activityID()
	out := s.answer(&r, req, now)
	r.Status = out.status
	if s.requests = append(s.requests, r); len(s.requests) >= 2*s.opts.Keep { // seldom: it moves them all
		s.requests = slices.Delete(s.requests, 0, len(s.requests)-s.opts.Keep)
	}
	if out.header == nil {
		out.header = http.Header{}
	}
	out.header.Set("activity-id", r.ActivityID)
	return out
}

var errNoRoute = errors.New("no such path")

func (s *Sim) parse(req *http.Request, now time.Time) (Request, error) {
	r := Request{
		At: now, Method: req.Method, Path: req.URL.Path, Query: req.URL.RawQuery,
		MSVersion: req.Header.Get("x-ms-version"), ContentType: req.Header.Get("Content-Type"), ContentLength: req.ContentLength,
	}
	verb, project, environment, ok := route(req.Method, req.URL.Path)
	if !ok {
		return r, errNoRoute
	}
	var err error
	if r.Project, err = strconv.ParseInt(project, 10, 64); err != nil || strings.Trim(project, "0123456789") != "" {
		return r, errNoRoute
	}
	if r.Verb = verb; verb == Metadata {
		environment = req.URL.Query().Get("environmentId")
	}
	r.Environment = normalize(environment)
	return r, nil
}

// route takes the path of a call apart:
//
//	POST /environment/v1/{start|stop}/project/{project}/environment/{environment}
//	GET  /environmentinfo/v1/detail/project/{project}/
//	GET  /environmentinfo/v1/history/project/{project}/environment/{environment}/
//
// A slash at the end may be there or not.
func route(method, path string) (verb Verb, project, environment string, ok bool) {
	what, rest, _ := strings.Cut(strings.TrimSuffix(path, "/"), "/project/")
	project, environment, named := strings.Cut(rest, "/environment/")
	switch method + " " + what {
	case "POST /environment/v1/start":
		verb = Start
	case "POST /environment/v1/stop":
		verb = Stop
	case "GET /environmentinfo/v1/history":
		verb = History
	case "GET /environmentinfo/v1/detail":
		return Metadata, project, "", !named
	default:
		return Any, "", "", false
	}
	return verb, project, environment, environment != "" && !strings.Contains(environment, "/")
}

// digest stands for a caller in the records and the quotas.
func digest(caller string) string {
	sum := sha256.Sum256([]byte(caller))
	return hex.EncodeToString(sum[:8])
}

func (s *Sim) answer(r *Request, req *http.Request, now time.Time) reply {
	if !s.signedIn(r, req, now) {
		return unauthorized("")
	}
	f := s.strike(*r, now)
	r.Struck = slices.Sorted(maps.Keys(f))
	if f.has(Echo) {
		return echo(req)
	}
	if out, ok := early(f, r); ok {
		return out
	}
	if wait := s.take(now, s.scopesOf(*r)); wait > 0 {
		return throttle(strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	var out reply
	switch r.Verb {
	case Start, Stop:
		out = s.operation(r, now, f)
	case History:
		out = s.historyOf(r, now)
	default:
		out = s.metadataOf(r, req, now, f)
	}
	return late(f, out)
}

// signedIn checks the token, and notes whose it is.
func (s *Sim) signedIn(r *Request, req *http.Request, now time.Time) bool {
	token, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	r.User = digest(token)
	if s.opts.Entra == nil {
		return ok && token != "" && (len(s.opts.Tokens) == 0 || slices.Contains(s.opts.Tokens, token))
	}
	account, audience, valid := s.opts.Entra.holder(token, now)
	if !ok || !valid || !meant(audience, cmp.Or(req.Host, req.URL.Host)) {
		return false
	}
	r.User, r.Account = digest(account), account
	return true
}

var lcsHost = regexp.MustCompile(`^lcsapi\.([a-z]+\.)?lcs\.(dynamics\.com|dynamics\.cn|microsoftdynamics\.us)$`)

// meant reports whether a token's audience is the host that was asked. A host that is
// none of LCS's takes every token.
func meant(audience, host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	u, err := url.Parse(audience)
	return !lcsHost.MatchString(host) || err == nil && u.Hostname() == host
}

// early are the faults that keep LCS from reading the request.
func early(f fault, r *Request) (reply, bool) {
	switch {
	case f.has(ResetBeforeAccept):
		return reply{reset: true}, true
	case f.has(BadCertificate):
		return reply{bad: true}, true
	case f.has(Error500HTML):
		return text(http.StatusInternalServerError, "text/html", "<html><body><h1>Runtime Error</h1></body></html>"), true
	case f.has(Error503):
		return text(http.StatusServiceUnavailable, "text/plain", "The service is unavailable."), true
	case f.has(Throttle):
		return throttle(f[Throttle].RetryAfter), true
	case f.has(Unauthorized):
		return unauthorized(""), true
	case f.has(UnauthorizedHTML):
		return unauthorized("<html><body>401</body></html>"), true
	case f.has(Forbidden):
		return text(http.StatusForbidden, "application/json", `{"Message":"The user has no access to the project.","LcsErrorCode":"403","ActivityId":"`+r.ActivityID+`"}`), true
	case f.has(NotFound):
		return text(http.StatusNotFound, "application/json", `{"ErrorMessage":"Not found.","OperationActivityId":"`+r.ActivityID+`"}`), true
	case f.has(Refuse):
		return envelope(r, f[Refuse].Message, f, nil), true
	}
	return reply{}, false
}

// echo is the answer of a gateway that repeats what it was sent, in several forms.
func echo(req *http.Request) reply {
	sent := req.Header.Get("Authorization")
	_, token, _ := strings.Cut(sent, " ")
	b, err := json.Marshal(map[string]string{
		"Message":      "blocked by policy; the request had Authorization: " + sent + ", in base64 " + base64.StdEncoding.EncodeToString([]byte(sent)) + ", its token was " + token,
		"LcsErrorCode": url.QueryEscape(token), "ActivityId": token,
	})
	if err != nil {
		return text(http.StatusInternalServerError, "text/plain", "the simulator cannot write its answer")
	}
	return text(http.StatusForbidden, "application/json", string(b))
}

// late are the faults that spoil the answer to a request that was carried out.
func late(f fault, out reply) reply {
	switch {
	case f.has(ResetAfterAccept):
		return reply{reset: true, status: out.status}
	case f.has(NotJSON):
		out.body, out.header = []byte("<html><body>Sign in to your account</body></html>"), http.Header{"Content-Type": {"text/html"}}
	case f.has(HugeBody):
		out.body = append(bytes.Repeat([]byte(" "), 16<<20), out.body...)
	case f.has(Truncated):
		out.cut = true
	}
	if f.has(Slow) {
		out.delay = f[Slow].Delay
	}
	return out
}

func (s *Sim) operation(r *Request, now time.Time, f fault) reply {
	env := s.byID[r.Environment]
	if env == nil || env.project != r.Project {
		return envelope(r, "The environment was not found.", f, nil)
	}
	if s.servicing(env, now) {
		return envelope(r, "Another operation is in progress.", f, nil)
	}
	refusal, accepted := s.operate(env, r.Verb, now, f)
	r.Accepted = accepted
	return envelope(r, refusal, f, nil)
}

func (s *Sim) historyOf(r *Request, _ time.Time) reply {
	env := s.byID[r.Environment]
	data := []map[string]any{}
	if env != nil {
		for _, a := range slices.Backward(env.history) {
			data = append(data, map[string]any{
				"Name": a.name, "Type": "Deployment" + a.name, "TypeDisplay": a.name,
				"StartDateTimeUTC": a.start.UTC().Format("2006-01-02T15:04:05.0"), "EndDateTimeUTC": a.end.UTC().Format("2006-01-02T15:04:05.000"),
				"Status": a.status, "ActivityId": strings.ReplaceAll(a.id, "-", ""), "EnvironmentId": normalize(env.ID), "ProjectId": env.project,
			})
		}
	}
	return envelope(r, "", nil, &page{1, false, data})
}

func (s *Sim) metadataOf(r *Request, req *http.Request, now time.Time, f fault) reply {
	all, ok := s.projects[r.Project]
	if !ok {
		return text(http.StatusForbidden, "application/json", `{"Message":"The user has no access to the project."}`)
	}
	list := page{Current: 1}
	query := req.URL.Query()
	name := query.Get("environmentName")
	if r.Environment != "" || name != "" {
		all = slices.Clone(all)
		all = slices.DeleteFunc(all, func(e *environment) bool {
			return r.Environment != "" && normalize(e.ID) != r.Environment || name != "" && e.Name != name
		})
	} else {
		if n, err := strconv.Atoi(query.Get("page")); err == nil && n > 0 {
			list.Current = n
		}
		from := min((list.Current-1)*s.opts.PageSize, len(all))
		to := min(from+s.opts.PageSize, len(all))
		list.More = to < len(all)
		all = all[from:to]
	}
	if !f.has(EmptyData) && len(all) > 0 {
		data := make([]any, 0, len(all))
		for _, e := range all {
			data = append(data, s.rowsOf(e, now)...)
		}
		list.Data = data
	}
	return envelope(r, "", f, &list)
}

// rowsOf returns the rows of an environment: one, unless Rows says otherwise.
func (s *Sim) rowsOf(e *environment, now time.Time) []any {
	own := s.describe(e, now)
	if e.rows == nil {
		return []any{own}
	}
	row := map[string]any{}
	if b, err := json.Marshal(own); err == nil {
		_ = json.Unmarshal(b, &row) // what was just written
	}
	return e.rows(row)
}

// described is an environment in LCS's form.
type described struct {
	ID              string  `json:"EnvironmentId"`
	Name            string  `json:"EnvironmentName"`
	Project         int64   `json:"ProjectId"`
	Infrastructure  string  `json:"EnvironmentInfrastructure"`
	Type            string  `json:"EnvironmentType"`
	Group           string  `json:"EnvironmentGroup"`
	Product         string  `json:"EnvironmentProduct"`
	EndpointBaseURL string  `json:"EnvironmentEndpointBaseUrl"`
	State           State   `json:"DeploymentState"`
	Topology        string  `json:"TopologyDisplayName"`
	Build           string  `json:"CurrentApplicationBuildVersion"`
	Release         string  `json:"CurrentApplicationReleaseName"`
	Platform        string  `json:"CurrentPlatformReleaseName"`
	PlatformVersion *string `json:"CurrentPlatformVersion"`
	DeployedOn      string  `json:"DeployedOnUTC"`
	Storage         string  `json:"CloudStorageLocation"`
	Recovery        *string `json:"DisasterRecoveryLocation"`
	Display         string  `json:"DeploymentStatusDisplay"`
	CanStart        bool    `json:"CanStart"`
	CanStop         bool    `json:"CanStop"`
}

// describe returns an environment in LCS's form.
func (s *Sim) describe(e *environment, now time.Time) described {
	e.settle(now)
	state := e.state
	if s.servicing(e, now) {
		state = Servicing
	}
	display := string(state)
	switch {
	case e.failed && e.until.IsZero():
		display = "Failed"
	case state == Finished:
		display = "Deployed"
	}
	managed := e.Infrastructure == "CustomerManaged"
	return described{
		ID: e.ID, Name: e.Name, Project: e.project, Infrastructure: e.Infrastructure, Type: e.Type, Group: "Primary", Product: "Finance and Operations",
		EndpointBaseURL: "https://" + strings.ToLower(e.Name) + "devaos.cloudax.dynamics.com/", State: state,
		Topology: "Finance and Operations - Develop (10.0.18 with Platform update 42)", Build: "10.0.793.41", Release: "10.0.18", Platform: "Update42",
		DeployedOn: "7/5/2021 11:19 AM", Storage: "West Europe", Display: display, CanStart: managed && state == Stopped, CanStop: managed && state == Finished,
	}
}

// A page is what an answer has in addition to the envelope when it lists something.
type page struct {
	Current int  `json:"ResultPageCurrent"`
	More    bool `json:"ResultHasMorePages"`
	Data    any  `json:"Data"`
}

// envelope returns the answer that every call of LCS has; a refusal is IsSuccess false.
func envelope(r *Request, refusal string, f fault, p *page) reply {
	body := struct {
		*page
		IsSuccess           bool    `json:"IsSuccess"`
		OperationActivityID string  `json:"OperationActivityId"`
		ErrorMessage        *string `json:"ErrorMessage"`
		VersionEOL          string  `json:"VersionEOL"`
	}{p, refusal == "" && !f.has(Refuse), r.ActivityID, nil, "9999-12-31T23:59:59.9999999"}
	if refusal != "" {
		body.ErrorMessage = &refusal
	}
	if f.has(NearEOL) {
		body.VersionEOL = "2027-06-30T00:00:00.0000000"
	}
	b, err := json.Marshal(body)
	if err != nil {
		return text(http.StatusInternalServerError, "text/plain", "the simulator cannot write its answer")
	}
	return reply{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, body: b}
}

func text(status int, kind, body string) reply {
	return reply{status: status, header: http.Header{"Content-Type": {kind}}, body: []byte(body)}
}

func throttle(after string) reply {
	r := text(http.StatusTooManyRequests, "text/plain", "")
	if after != "" {
		r.header.Set("Retry-After", after)
	}
	return r
}

func unauthorized(body string) reply {
	r := text(http.StatusUnauthorized, "text/html", body)
	r.header.Set("WWW-Authenticate", "Bearer")
	return r
}

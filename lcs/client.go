// Package lcs is a client of the Lifecycle Services environment API: start, stop,
// metadata and history. It knows nothing of schedules. Facts are from Microsoft's
// reference pages "Start and stop environments", "Environment metadata" and
// "Environment history" unless a comment says otherwise.
package lcs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"go.uber.org/zap"

	"curfew/lcs/remote"
)

const (
	apiVersion = "2017-09-15" // the only documented value of x-ms-version
	maxAnswer  = 8 << 20      // a page of metadata is some kilobytes
	maxPages   = 1000
	neverEnds  = "9999-" // VersionEOL of a version that is not deprecated
	retries    = 3
)

// ClientOptions are optional; the zero value is a client for production.
type ClientOptions struct {
	Scope string // of the token, DefaultScope when empty
	// Transport is one of NewTransport when nil. Another one must not send a request
	// a second time by itself: LCS counts it.
	Transport policy.Transporter
	Timeout   time.Duration // for one request, CallTimeout when zero
	Version   string        // of the program, for User-Agent
	Logger    *zap.Logger
	// Limiter is asked before every request. A client without one sends each
	// request once, so that its caller can account for it.
	Limiter Limiter
	// OnVersionEOL is called when LCS says when this API version ends.
	OnVersionEOL func(date string)
}

// A Client calls one LCS endpoint as one account. It is safe for concurrent use.
type Client struct {
	endpoint string
	timeout  time.Duration
	attempts policy.RetryOptions
	pipeline runtime.Pipeline
	log      *zap.Logger
	onEOL    func(string)
}

// NewClient makes a client of an endpoint: https, or http on a loopback address.
func NewClient(endpoint string, cred azcore.TokenCredential, opts *ClientOptions) (*Client, error) {
	o := ClientOptions{}
	if opts != nil {
		o = *opts
	}
	address, fault := remote.Address(endpoint)
	if fault != "" {
		return nil, fmt.Errorf("use the LCS endpoint: %s; want %s", fault, remote.Want)
	}
	endpoint = address.String()
	c := &Client{endpoint: endpoint, timeout: o.Timeout, log: o.Logger, onEOL: o.OnVersionEOL}
	if c.timeout <= 0 {
		c.timeout = CallTimeout
	}
	if c.log == nil {
		c.log = zap.NewNop()
	}
	o.Scope = cmp.Or(o.Scope, DefaultScope(endpoint))
	if o.Transport == nil {
		o.Transport = NewTransport()
	}
	c.attempts = policy.RetryOptions{MaxRetries: -1}
	if o.Limiter != nil {
		c.attempts = policy.RetryOptions{MaxRetries: retries, RetryDelay: 2 * time.Second, MaxRetryDelay: 30 * time.Second}
	}
	c.pipeline = runtime.NewPipeline("curfew", cleanVersion(o.Version), runtime.PipelineOptions{
		PerRetry: []policy.Policy{&limitPolicy{o.Limiter}, &timeoutPolicy{c.timeout}, &bearer{cred: cred, scope: o.Scope}, &tracePolicy{c.log}},
	}, &policy.ClientOptions{Transport: o.Transport, Telemetry: policy.TelemetryOptions{ApplicationID: "curfew"}})
	return c, nil
}

// DefaultScope is the scope of an endpoint's tokens: the endpoint with "//.default",
// the double slash included, as Microsoft's page "Authentication" has it.
func DefaultScope(endpoint string) string { return strings.TrimRight(endpoint, "/") + "//.default" }

func cleanVersion(v string) string {
	if v == "" {
		return "devel"
	}
	return v
}

// Start asks LCS to start an environment. LCS accepts it for one that runs already.
func (c *Client) Start(ctx context.Context, project int64, environmentID string) (Operation, error) {
	return c.operate(ctx, CallStart, project, environmentID)
}

// Stop asks LCS to stop an environment. LCS refuses it for one that is stopped already.
func (c *Client) Stop(ctx context.Context, project int64, environmentID string) (Operation, error) {
	return c.operate(ctx, CallStop, project, environmentID)
}

func (c *Client) operate(ctx context.Context, kind CallKind, project int64, id string) (Operation, error) {
	r := request{
		call: Call{Kind: kind, Project: project, Environment: id}, op: string(kind), method: http.MethodPost,
		path: fmt.Sprintf("/environment/v1/%s/project/%d/environment/%s", kind, project, url.PathEscape(id)),
	}
	var a struct{ envelope }
	if err := c.do(ctx, r, &a); err != nil {
		return Operation{}, err
	}
	return Operation{ActivityID: string(a.OperationActivityID), VersionEOL: string(a.VersionEOL)}, nil
}

// EnvironmentsPage reads one page of a project's metadata, from 1 on.
func (c *Client) EnvironmentsPage(ctx context.Context, project int64, page int) (Page, error) {
	return c.metadata(ctx, project, url.Values{"page": {strconv.Itoa(page)}})
}

// Environment reads one environment's metadata; ok is false when LCS lists none.
func (c *Client) Environment(ctx context.Context, project int64, environmentID string) (env Environment, ok bool, err error) {
	page, err := c.metadata(ctx, project, url.Values{"environmentId": {environmentID}})
	if err != nil {
		return Environment{}, false, err
	}
	for _, e := range page.Environments {
		if NormalizeID(e.ID) == NormalizeID(environmentID) {
			return e, true, nil
		}
	}
	if page.Unreadable > 0 {
		return Environment{}, false, &Error{Kind: Ambiguous, Op: "read metadata", Method: http.MethodGet, Message: "the answer cannot be read: it has no EnvironmentId"}
	}
	return Environment{}, false, nil
}

// Environments reads all pages of a project's metadata. When LCS throttles a page, wait is
// called with for how long, and the page is read again if it returns true; nil never waits.
func (c *Client) Environments(ctx context.Context, project int64, wait func(context.Context, time.Duration) bool) ([]Environment, error) {
	var all []Environment
	for n := 1; n <= maxPages; n++ {
		page, err := c.EnvironmentsPage(ctx, project, n)
		for err != nil {
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Kind != Throttled || wait == nil || !wait(ctx, cmp.Or(e.RetryAfter, MetadataPerProject.Window)) {
				return nil, err
			}
			page, err = c.EnvironmentsPage(ctx, project, n)
		}
		if page.Number != 0 && page.Number != n {
			return nil, &Error{
				Kind: Ambiguous, Op: "read metadata", Method: http.MethodGet,
				Message: fmt.Sprintf("LCS answered page %d when asked for page %d", page.Number, n),
			}
		}
		all = append(all, page.Environments...)
		if !page.More {
			return all, nil
		}
	}
	return nil, &Error{Kind: Ambiguous, Op: "read metadata", Method: http.MethodGet, Message: fmt.Sprintf("LCS lists more than %d pages", maxPages)}
}

func (c *Client) metadata(ctx context.Context, project int64, query url.Values) (Page, error) {
	r := request{
		call: Call{Kind: CallMetadata, Project: project, Environment: query.Get("environmentId")}, op: "read metadata", method: http.MethodGet,
		path: fmt.Sprintf("/environmentinfo/v1/detail/project/%d/", project), query: query.Encode(),
	}
	var a struct {
		envelope
		paging
		Data []json.RawMessage
	}
	if err := c.do(ctx, r, &a); err != nil {
		return Page{}, err
	}
	p := Page{Number: int(a.ResultPageCurrent), More: a.more(len(a.Data))}
	p.Environments, p.Unreadable = rowsOf(a.Data)
	return p, nil
}

// History reads one page of an environment's history, from 1 on.
func (c *Client) History(ctx context.Context, project int64, environmentID string, page int) (HistoryPage, error) {
	r := request{
		call: Call{Kind: CallHistory, Project: project, Environment: environmentID}, op: "read history", method: http.MethodGet,
		path:  fmt.Sprintf("/environmentinfo/v1/history/project/%d/environment/%s/", project, url.PathEscape(environmentID)),
		query: url.Values{"page": {strconv.Itoa(page)}}.Encode(),
	}
	var a struct {
		envelope
		paging
		Data []HistoryAction
	}
	if err := c.do(ctx, r, &a); err != nil {
		return HistoryPage{}, err
	}
	for i := range a.Data {
		a.Data[i].clean()
	}
	return HistoryPage{Number: int(a.ResultPageCurrent), More: a.more(len(a.Data)), Actions: a.Data}, nil
}

// A request is one call before it is sent.
type request struct {
	call                    Call
	op, method, path, query string
}

// envelope is what every answer of LCS has.
type envelope struct {
	IsSuccess           flag `json:"IsSuccess"`
	OperationActivityID text `json:"OperationActivityId"`
	ErrorMessage        text `json:"ErrorMessage"`
	VersionEOL          text `json:"VersionEOL"`
}

// A flag is a bool that knows whether the answer had it.
type flag struct{ set, present bool }

// UnmarshalJSON reads true, false or null, which is no success.
func (f *flag) UnmarshalJSON(b []byte) error {
	f.present = true
	switch string(b) {
	case "true":
		f.set = true
	case "false", "null":
		f.set = false
	default:
		return errors.New("want true or false")
	}
	return nil
}

type paging struct {
	ResultPageCurrent  number `json:"ResultPageCurrent"`
	ResultHasMorePages maybe  `json:"ResultHasMorePages"`
}

// more reports whether there is another page. Where LCS says it in no readable way, a page
// without rows is the last.
func (p paging) more(rows int) bool {
	m := p.ResultHasMorePages
	return m.odd && rows > 0 || m.value != nil && *m.value
}

func (e *envelope) head() *envelope { return e }

// An answer is a struct that embeds envelope.
type answer interface{ head() *envelope }

// do sends a request and reads its answer into a.
func (c *Client) do(ctx context.Context, r request, a answer) error {
	e := &Error{Op: r.op, Method: r.method, Path: r.path}
	try := &attempt{call: r.call}
	resp, err := c.send(withAttempt(ctx, try), r) //nolint:bodyclose // readAll closes it
	if err != nil {
		return c.transportError(e, err, try.sent.Load())
	}
	body, err := readAll(resp)
	e.Status, e.ActivityID = resp.StatusCode, clean(resp.Header.Get("activity-id"))
	if resp.StatusCode != http.StatusOK {
		e.Kind = kindOf(resp.StatusCode)
		e.Asked, e.HasRetryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
		e.RetryAfter = min(e.Asked, LongestWindow)
		e.explain(body)
		return e
	}
	if err == nil {
		err = decode(body, a)
	}
	if err != nil {
		e.Kind, e.Message = Ambiguous, "the answer cannot be read: "+clean(err.Error())
		return e
	}
	return c.checkSuccess(e, a.head())
}

func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	attempts := c.attempts
	if r.method == http.MethodPost {
		attempts = policy.RetryOptions{MaxRetries: -1} // azcore would repeat a POST on a dropped connection
	}
	ctx = policy.WithRetryOptions(ctx, attempts)
	target := c.endpoint + r.path
	if r.query != "" {
		target += "?" + r.query
	}
	req, err := runtime.NewRequest(ctx, r.method, target)
	if err != nil {
		return nil, &Error{Kind: NotSent, cause: err}
	}
	raw := req.Raw()
	raw.Header.Set("X-Ms-Version", apiVersion)
	raw.Header.Set("Content-Type", "application/json")
	raw.Header.Set("Accept", "application/json")
	if r.method == http.MethodPost {
		raw.Body, raw.ContentLength = http.NoBody, 0 // net/http then says Content-Length: 0
	}
	runtime.SkipBodyDownload(req) // it would read without a limit
	return c.pipeline.Do(req)
}

// readAll reads a body of at most maxAnswer bytes.
func readAll(resp *http.Response) ([]byte, error) {
	defer func() { _ = resp.Body.Close() }()
	var body bytes.Buffer
	if n := resp.ContentLength; n > 0 && n <= maxAnswer {
		body.Grow(int(n) + bytes.MinRead)
	}
	if _, err := body.ReadFrom(io.LimitReader(resp.Body, maxAnswer+1)); err != nil {
		return nil, errors.New("the connection broke off")
	}
	if body.Len() > maxAnswer {
		return nil, fmt.Errorf("it is longer than %d bytes", maxAnswer)
	}
	return body.Bytes(), nil
}

// decode reads JSON without repeating any of it in an error.
func decode(body []byte, a answer) error {
	body = printable(body)
	err := json.Unmarshal(body, a)
	var syntax *json.SyntaxError
	switch object := bytes.TrimLeft(body, " \t\r\n"); {
	case errors.As(err, &syntax), !bytes.HasPrefix(object, []byte("{")) && string(object) != "null":
		return errors.New("it is not a JSON object")
	case !a.head().IsSuccess.present:
		return errors.New("it does not say IsSuccess")
	case err != nil:
		return errors.New("a field has an unexpected type")
	}
	return nil
}

// explain takes the message from a body in either of the two forms that LCS is
// known to use with other statuses; other bodies, such as HTML, say nothing.
func (e *Error) explain(body []byte) {
	var known struct {
		ErrorMessage        text
		OperationActivityID text `json:"OperationActivityId"`
		Message             text
		LcsErrorCode        text
		ActivityID          text `json:"ActivityId"`
	}
	if json.Unmarshal(printable(body), &known) != nil {
		return
	}
	e.Message = string(cmp.Or(known.ErrorMessage, known.Message))
	e.Code = string(known.LcsErrorCode)
	e.ActivityID = cmp.Or(string(known.OperationActivityID), string(known.ActivityID), e.ActivityID)
}

// checkSuccess turns IsSuccess false into an error, and watches the end of the version.
func (c *Client) checkSuccess(e *Error, a *envelope) error {
	if eol := string(a.VersionEOL); eol != "" && !strings.HasPrefix(eol, neverEnds) && c.onEOL != nil {
		c.onEOL(eol)
	}
	if a.IsSuccess.set {
		return nil
	}
	e.Kind, e.Message = Refused, string(a.ErrorMessage)
	e.ActivityID = cmp.Or(string(a.OperationActivityID), e.ActivityID)
	return e
}

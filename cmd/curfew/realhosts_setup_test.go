package main

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/lcs"
	"curfew/lcs/lcssim"
)

const (
	hostsUser     = "svc@contoso.com"
	hostsPassword = `known password "0123" & more`
	hostsApp      = "11111111-2222-3333-4444-555555555555"
	hostsTenant   = "contoso.onmicrosoft.com"
	loginHost     = "login.microsoftonline.com"
	loginHostUS   = "login.microsoftonline.us"
	lcsHostEU     = "lcsapi.eu.lcs.dynamics.com"
)

// loginHosts are Entra's, of each cloud.
var loginHosts = []string{loginHost, loginHostUS, "login.partner.microsoftonline.cn", "login.chinacloudapi.cn"}

// hosts are Entra and LCS under their real names, for a program that is not
// changed: it gets a proxy and a certificate authority. Each name has its own
// TLS server; the proxy lets through to nothing else.
type hosts struct {
	t     *testing.T
	entra *lcssim.Entra
	sim   *lcssim.Sim // behind each LCS host
	proxy string      // its address
	ca    *authority
	dir   string
	home  string // the LCS host where the project lives; each of them when ""

	mu        sync.Mutex // guards what follows, which the servers write
	asked     []recorded
	connected []string // targets that the proxy let through, in their order
	off       []string // and those it did not
}

// A recorded request is one as a host has got it.
type recorded struct {
	At           time.Time
	Method, Host string
	Path, Query  string
	Header       http.Header
	Body         string
	Status       int
}

// newHosts starts them. One user may sign in, hostsUser, unless o has others.
// Whatever the proxy refuses and no test asks for fails the test.
func newHosts(t *testing.T, o lcssim.EntraOptions) *hosts {
	t.Helper()
	if o.Users == nil {
		o.Users = map[string]string{hostsUser: hostsPassword}
	}
	o.ClientID = cmp.Or(o.ClientID, hostsApp)
	h := &hosts{t: t, entra: lcssim.NewEntra(o), dir: t.TempDir()}
	h.sim = lcssim.New(lcssim.Options{StartTime: 2 * time.Second, StopTime: 2 * time.Second, Entra: h.entra})
	for i := range 2 {
		h.sim.AddEnvironment(e2eProject, lcssim.Environment{ID: e2eID(i), Name: fmt.Sprintf("LCS %d", i), State: []lcssim.State{lcssim.Finished, lcssim.Stopped}[i]})
	}
	h.ca = newAuthority(t, filepath.Join(h.dir, "ca.pem"))
	backends := map[string]string{}
	for _, host := range loginHosts {
		backends[host+":443"] = h.serve(host, h.entra.Handler())
	}
	for _, region := range lcs.Regions() {
		endpoint, _ := lcs.Endpoint(region)
		host := strings.TrimPrefix(endpoint, "https://")
		inner := h.sim.Handler()
		backends[host+":443"] = h.serve(host, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if h.home != "" && host != h.home {
				w.WriteHeader(http.StatusUnauthorized) // the project is not known here
				return
			}
			inner.ServeHTTP(w, r)
		}))
	}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.connect(w, r, backends) }))
	h.proxy = proxy.URL
	t.Cleanup(func() {
		proxy.Close()
		for _, target := range h.refused() {
			t.Errorf("the program asked %s, want the hosts of Entra and LCS alone", target)
		}
	})
	return h
}

// serve starts the TLS server of one name, and returns its address.
func (h *hosts) serve(host string, inner http.Handler) string {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Host != host {
			h.refuse(fmt.Sprintf("%s on a connection to %s (%v)", r.Host, host, err))
			http.Error(w, "misdirected", http.StatusMisdirectedRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := recorded{At: time.Now(), Method: r.Method, Host: host, Path: r.URL.Path, Query: r.URL.RawQuery, Header: r.Header.Clone(), Body: string(body)}
		seen := &statusWriter{ResponseWriter: w}
		defer func() { // a dropped connection is a panic
			rec.Status = seen.status
			h.mu.Lock()
			defer h.mu.Unlock()
			h.asked = append(h.asked, rec)
		}()
		inner.ServeHTTP(seen, r)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{h.ca.issue(h.t, host)}, MinVersion: tls.VersionTLS12}
	server.EnableHTTP2 = true
	server.StartTLS()
	h.t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// connect is the proxy.
func (h *hosts) connect(w http.ResponseWriter, r *http.Request, backends map[string]string) {
	backend := backends[r.Host]
	if r.Method != http.MethodConnect || backend == "" {
		h.refuse(r.Method + " " + r.Host)
		http.Error(w, "this proxy leads to Entra and LCS alone", http.StatusForbidden)
		return
	}
	h.mu.Lock()
	h.connected = append(h.connected, r.Host)
	h.mu.Unlock()
	to, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", backend)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer to.Close()
	from, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		h.refuse(err.Error())
		return
	}
	defer from.Close()
	if _, err := from.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(to, buffered); _ = to.(*net.TCPConn).CloseWrite() })
	both.Go(func() { _, _ = io.Copy(from, to); _ = from.Close() })
	both.Wait()
}

func (h *hosts) refuse(target string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.off = append(h.off, target)
}

// refused returns what else was asked for, and forgets it.
func (h *hosts) refused() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	off := h.off
	h.off = nil
	return off
}

// requests returns what a host was asked, oldest first; "" is every host.
func (h *hosts) requests(host string) []recorded {
	h.mu.Lock()
	defer h.mu.Unlock()
	var of []recorded
	for _, r := range h.asked {
		if host == "" || r.Host == host {
			of = append(of, r)
		}
	}
	return of
}

// reached returns the names that the proxy led to, each once, in the order of their
// first time.
func (h *hosts) reached() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var names []string
	known := map[string]bool{}
	for _, target := range h.connected {
		if !known[target] {
			known[target] = true
			names = append(names, strings.TrimSuffix(target, ":443"))
		}
	}
	return names
}

// env is what the program must be started with, behind its own.
func (h *hosts) env() []string {
	env := []string{"NO_PROXY=", "no_proxy=", "SSL_CERT_FILE=" + h.ca.file, "SSL_CERT_DIR=" + filepath.Join(h.dir, "no-certificates")}
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		env = append(env, name+"="+h.proxy)
	}
	return env
}

// client is a person's browser: it knows the names as the program does.
func (h *hosts) client() *http.Client {
	proxy, err := url.Parse(h.proxy)
	if err != nil {
		h.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(h.ca.cert)
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	h.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// passwordAccount is the account line of a schedule file.
func passwordAccount() string {
	return fmt.Sprintf("{name: main, mode: password, tenant: %s, client_id: %s, username: %s, password: {file: password}}", hostsTenant, hostsApp, hostsUser)
}

// site is a daemon, not yet started, that signs in as account and lives in region.
func (h *hosts) site(account, region, schedules string) *site {
	h.t.Helper()
	s := &site{t: h.t, sim: h.sim, dir: h.t.TempDir(), log: &lockedBuffer{}, env: h.env()}
	s.write("password", hostsPassword+"\n")
	s.write("schedules.yaml", fmt.Sprintf(`version: 1
timezone: UTC
accounts: [%s]
projects: [{name: contoso, id: %d, account: main, region: "%s"}]
environments:
  - {name: dev-00, project: contoso, id: %s}
  - {name: dev-01, project: contoso, id: %s}
schedules:
%s`, account, e2eProject, region, e2eID(0), e2eID(1), cmp.Or(schedules, "  []\n")))
	h.t.Cleanup(s.kill)
	return s
}

// run runs one command of the binary on the site's schedule file, and returns what it
// prints and its exit code.
func (s *site) run(args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	path, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(s.t.Context(), path, append([]string{"--config", filepath.Join(s.dir, "schedules.yaml")}, args...)...)
	cmd.Env = append(os.Environ(), s.env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		s.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// An authority signs the certificates of the hosts.
type authority struct {
	file string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, file string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "curfew's tests"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{file, cert, key}
}

func (a *authority) issue(t *testing.T, host string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

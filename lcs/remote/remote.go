// Package remote is what all that talks to other hosts must agree on: which addresses
// credentials may be sent to, what is this machine, and whose certificate is trusted.
package remote

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Want is what an address must be, for messages.
const Want = "https://HOST, or http:// for a loopback address"

// IsLoopback reports whether a host, as an address has it without its port, is this machine.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Zone() == "" && ip.Unmap().IsLoopback()
}

// Address reads the address of a server to which credentials will be sent, and returns it
// with its host in lower case and without a slash at its end. fault says why it cannot be
// used, and repeats nothing of it: it may hold a password.
func Address(s string) (u *url.URL, fault string) {
	u, fault = Server(s)
	if fault == "" && u.Scheme == "http" && !IsLoopback(u.Hostname()) {
		return nil, "plain http would show credentials to the network"
	}
	return u, fault
}

// Server is Address for a server to which no credentials need to be sent.
func Server(s string) (u *url.URL, fault string) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, "it cannot be read"
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, "it begins with neither https:// nor http://"
	case u.User != nil:
		return nil, "it holds a user or a password"
	case u.Hostname() == "":
		return nil, "it has no host"
	case strings.ContainsAny(u.Hostname(), "%@\\ "):
		return nil, "its host cannot be read"
	case u.Port() == "" && strings.HasSuffix(u.Host, ":"), u.Port() != "" && !isPort(u.Port(), 1):
		return nil, "its port is none from 1 to 65535"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#"):
		return nil, "it has a query or a fragment"
	}
	u.Host = strings.ToLower(u.Host) // net/http knows localhost in lower case only, and would ask a proxy for it
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u, ""
}

// Listener reads an address to listen on, and returns its host, "" for every address of this
// machine, and its port. fault says why it cannot be used.
func Listener(s string) (host, port, fault string) {
	host, port, err := net.SplitHostPort(s)
	switch {
	case err != nil:
		return "", "", "it is not HOST:PORT"
	case !isPort(port, 0):
		return "", "", "its port is none from 0 to 65535"
	}
	return host, port, ""
}

func isPort(s string, least uint64) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n >= least
}

// CertificateFault says why a host's certificate was not trusted, and what to do; "" for
// any other error. Asking again gets the same certificate.
func CertificateFault(err error) string {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	switch {
	case errors.As(err, &host):
		return "the certificate is not trusted: it is of another host; check the address, and that no proxy answers in its place"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate is not trusted: it has expired, or is not valid yet; renew it there, or correct this machine's clock"
	case errors.As(err, &authority):
		return "the certificate is not trusted: this machine does not know who signed it; add that authority, such as the one of a proxy that inspects TLS, to its certificates (SSL_CERT_FILE names a file of them)"
	case errors.As(err, &invalid), errors.As(err, &verification):
		return "the certificate is not trusted: it cannot be verified; renew it there, or add its authority to the certificates of this machine (SSL_CERT_FILE names a file of them)"
	}
	return ""
}

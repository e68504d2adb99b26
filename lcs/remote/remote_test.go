package remote_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"

	"curfew/lcs/remote"
)

func TestLoopbackIsThisMachine(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "127.0.0.1": true, "127.8.8.8": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.": false, "localhost.example": false, "::1%eth0": false, "[::1]": false, "127.0.0.1.example": false, "10.0.0.1": false, "0.0.0.0": false, "127.1": false,
	} {
		if got := remote.IsLoopback(host); got != want {
			t.Errorf("IsLoopback(%q) = %t, want %t", host, got, want)
		}
	}
}

func TestAddressesThatCredentialsMayBeSentTo(t *testing.T) {
	tests := []struct{ address, want, fault string }{
		{"https://lcsapi.lcs.dynamics.com", "https://lcsapi.lcs.dynamics.com", ""},
		{"https://LCSAPI.lcs.dynamics.com:8443/lcs//", "https://lcsapi.lcs.dynamics.com:8443/lcs", ""},
		{"http://LOCALHOST:9000/", "http://localhost:9000", ""},
		{"http://[::1]:9000", "http://[::1]:9000", ""},
		{"https://bücher.example", "https://b%C3%BCcher.example", ""},
		{"http://[::1%25eth0]:9000", "", "its host cannot be read"},
		{"http://127.0.0.1:99999", "", "its port is none from 1 to 65535"},
		{"https://lcs.example:0", "", "its port is none from 1 to 65535"},
		{"https://lcs.example:", "", "its port is none from 1 to 65535"},
		{"https://lcs.example:x", "", "it cannot be read"},
		{"https://u:known-password@lcs.example", "", "it holds a user or a password"},
		{"https:lcs.example", "", "it has no host"},
		{"https://", "", "it has no host"},
		{"lcs.example", "", "it begins with neither https:// nor http://"},
		{"ftp://127.0.0.1", "", "it begins with neither https:// nor http://"},
		{"https://lcs.example?a=b", "", "it has a query or a fragment"},
		{"https://lcs.example#", "", "it has a query or a fragment"},
		{"http://lcs.example", "", "plain http would show credentials to the network"},
	}
	for _, tt := range tests {
		u, fault := remote.Address(tt.address)
		got := ""
		if u != nil {
			got = u.String()
		}
		if got != tt.want || fault != tt.fault {
			t.Errorf("Address(%q) = %q, %q; want %q, %q", tt.address, got, fault, tt.want, tt.fault)
		}
	}
	if u, fault := remote.Server("http://lcs.example/"); fault != "" || u.String() != "http://lcs.example" {
		t.Errorf("Server of plain http = %v, %q; want it, since nothing secret goes there", u, fault)
	}
}

func TestAddressesToListenOn(t *testing.T) {
	tests := []struct{ address, host, port, fault string }{
		{"127.0.0.1:8080", "127.0.0.1", "8080", ""},
		{":0", "", "0", ""},
		{"[::1]:8080", "::1", "8080", ""},
		{"127.0.0.1:99999", "", "", "its port is none from 0 to 65535"},
		{"127.0.0.1:http", "", "", "its port is none from 0 to 65535"},
		{"127.0.0.1", "", "", "it is not HOST:PORT"},
		{"::1:8080", "", "", "it is not HOST:PORT"},
	}
	for _, tt := range tests {
		if host, port, fault := remote.Listener(tt.address); host != tt.host || port != tt.port || fault != tt.fault {
			t.Errorf("Listener(%q) = %q, %q, %q; want %q, %q, %q", tt.address, host, port, fault, tt.host, tt.port, tt.fault)
		}
	}
}

func TestCertificateFaultsSayWhatToDo(t *testing.T) {
	tests := []struct {
		err  error
		says string
	}{
		{x509.UnknownAuthorityError{}, "who signed it"},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "who signed it"},
		{x509.HostnameError{Certificate: &x509.Certificate{}, Host: "lcs.example"}, "of another host"},
		{x509.CertificateInvalidError{Reason: x509.Expired}, "has expired, or is not valid yet"},
		{x509.CertificateInvalidError{Reason: x509.TooManyIntermediates}, "cannot be verified"},
		{&tls.CertificateVerificationError{Err: errors.New("other")}, "cannot be verified"},
		{errors.New("connection refused"), ""},
	}
	for _, tt := range tests {
		got := remote.CertificateFault(fmt.Errorf("Get: %w", tt.err))
		if (got == "") != (tt.says == "") || !strings.Contains(got, tt.says) || strings.Contains(got, "x509") {
			t.Errorf("CertificateFault(%v) = %q, want %q in it", tt.err, got, tt.says)
		}
	}
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"https://u:p@h", "http://[::1%25x]:1", "https://h:99999/?#", "http://LOCALHOST"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, fault := remote.Address(s)
		if (u == nil) == (fault == "") {
			t.Fatalf("Address(%q) = %v, %q; want one of the two", s, u, fault)
		}
		if u == nil {
			return
		}
		if u.User != nil || u.Scheme == "http" && !remote.IsLoopback(u.Hostname()) {
			t.Errorf("Address(%q) = %s, which credentials may not be sent to", s, u)
		}
		if again, fault := remote.Address(u.String()); fault != "" || again.String() != u.String() {
			t.Errorf("Address(%q) = %v, %q; want what it returned before", u, again, fault)
		}
	})
}

package lcs

import "slices"

// A region is where an LCS project lives, whatever Azure region its machines
// run in. Hosts are those of Microsoft's page "Deployment options by geography";
// the Chinese one is known from public client code only.
type region struct{ name, endpoint string }

var regions = []region{
	{"us", "https://lcsapi.lcs.dynamics.com"},
	{"eu", "https://lcsapi.eu.lcs.dynamics.com"},
	{"fr", "https://lcsapi.fr.lcs.dynamics.com"},
	{"no", "https://lcsapi.no.lcs.dynamics.com"},
	{"sa", "https://lcsapi.sa.lcs.dynamics.com"}, // South Africa
	{"ch", "https://lcsapi.ch.lcs.dynamics.com"},
	{"uae", "https://lcsapi.uae.lcs.dynamics.com"},
	{"gov", "https://lcsapi.gov.lcs.microsoftdynamics.us"},
	{"high", "https://lcsapi.high.lcs.microsoftdynamics.us"},
	{"cn", "https://lcsapi.lcs.dynamics.cn"},
}

// Regions lists the names of the LCS regions, the default one, us, first.
func Regions() []string {
	names := make([]string, len(regions))
	for i, r := range regions {
		names[i] = r.name
	}
	return names
}

// Cloud names the Azure cloud that a region signs in to: public, government or china.
func Cloud(region string) string {
	switch region {
	case "gov", "high":
		return "government"
	case "cn":
		return "china"
	default:
		return "public"
	}
}

// Endpoint returns the base address of a region's API, without a slash at its end.
func Endpoint(name string) (url string, ok bool) {
	i := slices.IndexFunc(regions, func(r region) bool { return r.name == name })
	if i < 0 {
		return "", false
	}
	return regions[i].endpoint, true
}

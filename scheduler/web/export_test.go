package web

import "slices"

// EnvironmentOf returns an environment in the API's form.
var EnvironmentOf = environmentOf

// Routes returns the methods and paths of the API, sorted.
func Routes() []string {
	var paths []string
	for _, r := range (&Server{}).routes() {
		paths = append(paths, r.method+" "+r.path)
	}
	slices.Sort(paths)
	return paths
}

package api

import "slices"

// EnvironmentOf returns an environment in the API's form.
var EnvironmentOf = environmentOf

// Routes returns the methods and paths of the API, sorted.
func Routes() []string {
	var paths []string
	for _, r := range (&API{}).Routes() {
		paths = append(paths, r.Method+" "+r.Path)
	}
	slices.Sort(paths)
	return paths
}

package api

import (
	_ "embed"
	"net/http"
)

//go:embed openapi.json
var openAPIText []byte

func (a *API) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPIText)
}

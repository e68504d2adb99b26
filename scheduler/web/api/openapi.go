package api

import (
	_ "embed"
	"net/http"

	"curfew/scheduler/web/answer"
)

//go:embed openapi.json
var openAPIText []byte

func (a *API) openAPI(w http.ResponseWriter, r *http.Request) {
	answer.Write(w, r, http.StatusOK, "application/json", openAPIText)
}

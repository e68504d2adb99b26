package web

import (
	"net/http"

	"github.com/klauspost/compress/gzhttp"
)

// jitter is by how many bytes at most an answer is made longer.
const jitter = 64

// compressed compresses answers for clients that take it. Somebody who can have a browser
// ask again and again, and see how long the answers are, could learn a secret that stands
// next to what he has it ask for; so their length varies by a few bytes that depend on all
// of the answer.
func compressed(next http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(gzhttp.RandomJitter(jitter, 0, true), gzhttp.EnableZstd(false))
	if err != nil { // the options are constants
		panic(err)
	}
	return wrap(next)
}

package lcs_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"curfew/lcs"
)

// body answers every request with 200 and the same body.
type body string

func (b body) Do(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(b))), ContentLength: -1, Request: req}, nil
}

func clientOf(t *testing.T, answer body) *lcs.Client {
	t.Helper()
	c, err := lcs.NewClient("https://lcs.invalid", &credential{token: secret}, &lcs.ClientOptions{Transport: answer})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// rowsBody is a page of metadata with these rows before an ordinary one.
func rowsBody(rows string) body {
	return body(`{"ResultPageCurrent":1,"ResultHasMorePages":false,"Data":[` + rows + `,` + ordinary + `],"IsSuccess":true}`)
}

const ordinary = `{"EnvironmentId":"aaaa","EnvironmentName":"dev-02","ProjectId":1234567,"EnvironmentInfrastructure":"CustomerManaged","DeploymentState":"Stopped","CanStart":true,"CanStop":false}`

func TestOddRowOfAPageCostsNoOtherRow(t *testing.T) {
	const begin = `{"EnvironmentId":"bbbb","EnvironmentName":"dev-01",`
	tests := []struct {
		name string
		row  string
		want string // id, name and condition of the environment of the row
	}{
		{"a flag as text says the same", begin + `"DeploymentState":"Finished","CanStart":"False","CanStop":"true"}`, "bbbb dev-01 running"},
		{"a flag that says nothing leaves it to the state", begin + `"DeploymentState":"Finished","CanStart":false,"CanStop":{}}`, "bbbb dev-01 running"},
		{"the project's id as text", begin + `"ProjectId":"1234567","DeploymentState":"Stopped"}`, "bbbb dev-01 stopped"},
		{"the project's id as a fraction", begin + `"ProjectId":1.5,"DeploymentState":"Stopped"}`, "bbbb dev-01 stopped"},
		{"an escaped NUL in the name", `{"EnvironmentId":"bbbb","EnvironmentName":"dev\u0000-01","DeploymentState":"Stopped"}`, "bbbb dev -01 stopped"},
		{"a NUL in the name", "{\"EnvironmentId\":\"bbbb\",\"EnvironmentName\":\"dev\x00-01\",\"DeploymentState\":\"Stopped\"}", "bbbb dev -01 stopped"},
		{"a line break in the name", "{\"EnvironmentId\":\"bbbb\",\"EnvironmentName\":\"dev\n-01\",\"DeploymentState\":\"Stopped\"}", "bbbb dev -01 stopped"},
		{"a name that is a list", `{"EnvironmentId":"bbbb","EnvironmentName":["dev-01"],"DeploymentState":"Stopped"}`, "bbbb  stopped"},
		{"a state that is a number", begin + `"DeploymentState":6,"CanStart":true,"CanStop":false}`, "bbbb dev-01 stopped"},
		{"a field of tomorrow", begin + `"DeploymentState":"Stopped","Tomorrow":{"a":[1]}}`, "bbbb dev-01 stopped"},
		{"an id that is a list", `{"EnvironmentId":["bbbb"],"DeploymentState":"Stopped"}`, ""},
		{"no id", `{"EnvironmentName":"dev-01","DeploymentState":"Stopped"}`, ""},
		{"a row that is a text", `"dev-01"`, ""},
		{"a row that is null", `null`, ""},
		{"the same row twice is one environment", begin + `"DeploymentState":"Stopped"},` + begin + `"DeploymentState":"Stopped"}`, "bbbb dev-01 stopped"},
		{"contradictory rows of one id", begin + `"CanStop":true},` + `{"EnvironmentId":"BB-BB","EnvironmentName":"dev-01","CanStart":true}`, "bbbb dev-01 unknown"},
		{"a failure that only one row of an id shows", begin + `"CanStop":true,"DeploymentStatusDisplay":"Failed"},` + begin + `"CanStop":true,"DeploymentStatusDisplay":"Deployed"}`, "bbbb dev-01 unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			page, err := clientOf(t, rowsBody(tt.row)).EnvironmentsPage(t.Context(), project, 1)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			for _, e := range page.Environments {
				switch seen := fmt.Sprintf("%s %s %s", e.ID, e.Name, e.Condition()); e.ID {
				case "aaaa":
					if seen != "aaaa dev-02 stopped" {
						t.Errorf("the other row = %s, want it as it is", seen)
					}
				default:
					got = seen
				}
			}
			want, unreadable := 2, 0
			if tt.want == "" {
				want, unreadable = 1, 1
			}
			if got != tt.want || len(page.Environments) != want || page.Unreadable != unreadable {
				t.Errorf("page = %q of %d environments and %d unreadable rows, want %q of %d and %d", got, len(page.Environments), page.Unreadable, tt.want, want, unreadable)
			}
		})
	}
}

func TestContradictoryRowsShowBothStates(t *testing.T) {
	c := clientOf(t, rowsBody(`{"EnvironmentId":"bbbb","DeploymentState":"Finished","DeploymentStatusDisplay":"Deployed"},{"EnvironmentId":"bbbb","DeploymentState":"Stopped","DeploymentStatusDisplay":"Stopped"},{"EnvironmentId":"bbbb","DeploymentState":"Finished"}`))
	e, ok, err := c.Environment(t.Context(), project, "bbbb")
	if got, want := e.DeploymentState+", "+e.DeploymentStatusDisplay, "Finished and Stopped, Deployed and Stopped"; !ok || err != nil || got != want || e.Condition() != lcs.Unknown {
		t.Errorf("Environment = %q, %s, %t, %v, want %q, unknown", got, e.Condition(), ok, err, want)
	}
}

func TestEnvironmentWhoseRowHasNoReadableIDIsNotKnownToBeMissing(t *testing.T) {
	c := clientOf(t, `{"Data":[{"EnvironmentId":["bbbb"],"CanStop":true}],"IsSuccess":true}`)
	if _, ok, err := c.Environment(t.Context(), project, "bbbb"); ok || kindOf(err) != lcs.Ambiguous {
		t.Errorf("Environment = %t, %v, want an answer that cannot be read", ok, err)
	}
}

func TestPageSaysWhetherThereIsAnother(t *testing.T) {
	tests := []struct {
		name, more, rows string
		want             bool
	}{
		{"true", `true`, ordinary, true},
		{"false", `false`, ordinary, false},
		{"null", `null`, ordinary, false},
		{"as text", `"true"`, ordinary, true},
		{"unreadable, with rows", `[]`, ordinary, true},
		{"unreadable, without rows", `[]`, ``, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			page, err := clientOf(t, body(`{"ResultPageCurrent":"1","ResultHasMorePages":`+tt.more+`,"Data":[`+tt.rows+`],"IsSuccess":true}`)).EnvironmentsPage(t.Context(), project, 1)
			if err != nil || page.More != tt.want || page.Number != 1 {
				t.Errorf("page = %+v, %v, want number 1 and More %t", page, err, tt.want)
			}
		})
	}
}

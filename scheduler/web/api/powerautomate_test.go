package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-openapi/loads"
	"github.com/go-openapi/spec"
	"github.com/go-openapi/strfmt"
	"github.com/go-openapi/validate"
)

var update = flag.Bool("update", false, "write deploy/power-automate again")

const swaggerFile = "../../../deploy/power-automate/apiDefinition.swagger.json"

// connected are the operations of the custom connector, with the parameters that a flow
// shows at once and how it names them.
var connected = map[string]map[string]string{
	"listEnvironments": {},
	"startEnvironment": {"name": "Environment"},
	"stopEnvironment":  {"name": "Environment"},
	"skipNextStop":     {"name": "Environment"},
	"keepEnvironments": {"body": "Override"},
	"listRuns":         {"environment": "Environment", "state": "State", "since": "Since", "limit": "Limit", "cursor": "Cursor"},
}

type object = map[string]any

// swagger is the part of the description that the connector has, in the form that Power
// Automate reads: Swagger 2.0 knows no type lists and no shared responses with content.
func swagger(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths      map[string]map[string]object
		Components struct{ Schemas, Responses map[string]object }
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	paths, definitions := object{}, object{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if labels, ok := connected[op["operationId"].(string)]; ok {
				paths[path] = object{method: operation(op, labels)}
			}
		}
	}
	for wanted := referenced(paths); len(wanted) > 0; wanted = referenced(definitions) {
		for name := range definitions {
			delete(wanted, name)
		}
		if len(wanted) == 0 {
			break
		}
		for name := range wanted {
			definitions[name] = schema(doc.Components.Schemas[name])
		}
	}
	out, err := json.MarshalIndent(object{
		"swagger": "2.0",
		"info": object{
			"title": "curfew", "version": "1",
			"description": "Starts and stops Dynamics 365 Finance & Operations environments, and keeps them running past their schedule.",
		},
		"host": "curfew.example.com", "basePath": "/", "schemes": []string{"https"},
		"consumes": []string{"application/json"}, "produces": []string{"application/json"},
		"paths": paths, "definitions": definitions,
		"securityDefinitions": object{"token": object{"type": "apiKey", "in": "header", "name": "Authorization"}},
		"security":            []any{object{"token": []string{}}},
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

func operation(op object, labels map[string]string) object {
	id := op["operationId"].(string)
	out := object{"operationId": strings.ToUpper(id[:1]) + id[1:], "summary": op["summary"], "description": op["summary"], "responses": object{}}
	if text, ok := op["description"]; ok {
		out["description"] = text
	}
	parameters := []object{}
	list, _ := op["parameters"].([]any)
	for _, p := range list {
		p := p.(object)
		param := object{"name": p["name"], "in": p["in"], "required": p["required"] == true, "x-ms-summary": labels[p["name"].(string)]}
		if text, ok := p["description"]; ok {
			param["description"] = text
		}
		maps.Copy(param, schema(p["schema"].(object)))
		if param["in"] == "path" {
			param["x-ms-url-encoding"] = "single"
		}
		parameters = append(parameters, param)
	}
	if body, ok := op["requestBody"].(object); ok {
		parameters = append(parameters, object{"name": "body", "in": "body", "required": true, "x-ms-summary": labels["body"], "schema": schema(content(body))})
	}
	out["parameters"] = parameters
	for status, r := range op["responses"].(object) {
		answer := object{"description": "a problem document", "schema": object{"$ref": "#/definitions/Problem"}}
		if status == "304" {
			continue // a flow has nothing from before
		}
		if status < "400" {
			answer = object{"description": "done", "schema": schema(content(r.(object)))}
		}
		out["responses"].(object)[status] = answer
	}
	return out
}

func content(of object) object {
	return of["content"].(object)["application/json"].(object)["schema"].(object)
}

// schema is a schema in the words of Swagger 2.0.
func schema(s object) object {
	out := object{}
	for key, v := range s {
		switch key {
		case "$ref":
			out[key] = strings.Replace(v.(string), "#/components/schemas/", "#/definitions/", 1)
		case "type":
			out[key] = v
			if list, ok := v.([]any); ok {
				out[key], out["x-nullable"] = list[0], true
			}
		case "oneOf": // something or null
			return schema(v.([]any)[0].(object))
		case "properties":
			properties := object{}
			for name, p := range v.(object) {
				properties[name] = schema(p.(object))
				if _, is := properties[name].(object)["$ref"]; !is {
					properties[name].(object)["x-ms-summary"] = strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "_", " ")
				}
			}
			out[key] = properties
		case "items":
			out[key] = schema(v.(object))
		case "enum":
			out[key], out["type"] = v, "string"
		default:
			out[key] = v
		}
	}
	return out
}

// referenced are the names of the definitions that something refers to.
func referenced(in any) map[string]bool {
	names := map[string]bool{}
	switch in := in.(type) {
	case object:
		for key, v := range in {
			if ref, ok := v.(string); ok && key == "$ref" {
				names[strings.TrimPrefix(ref, "#/definitions/")] = true
			}
			maps.Copy(names, referenced(v))
		}
	case []object:
		for _, v := range in {
			maps.Copy(names, referenced(v))
		}
	case []any:
		for _, v := range in {
			maps.Copy(names, referenced(v))
		}
	}
	return names
}

func TestPowerAutomateHasSixOperationsAsDescribed(t *testing.T) {
	want := swagger(t)
	if *update {
		if err := os.WriteFile(swaggerFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(swaggerFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("deploy/power-automate is not the description's; go test ./scheduler/web/api -run PowerAutomate -update writes it again")
	}
	doc, err := loads.Analyzed(got, "2.0")
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Spec(doc, strfmt.Default); err != nil {
		t.Errorf("it is not Swagger 2.0: %v", err)
	}
	ids := doc.Analyzer.OperationIDs()
	slices.Sort(ids)
	if got := strings.Join(ids, " "); got != "KeepEnvironments ListEnvironments ListRuns SkipNextStop StartEnvironment StopEnvironment" {
		t.Errorf("its operations are %s", got)
	}
	if size := len(got); size > 1<<20 {
		t.Errorf("it has %d bytes; Power Automate takes a MiB", size)
	}
}

func TestPropertiesOfTheConnectorNameItsKey(t *testing.T) {
	text, err := os.ReadFile("../../../deploy/power-automate/apiProperties.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Properties struct {
			ConnectionParameters map[string]struct{ Type string }
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	var s spec.Swagger
	if err := json.Unmarshal(swagger(t), &s); err != nil {
		t.Fatal(err)
	}
	if got := doc.Properties.ConnectionParameters["api_key"].Type; got != "securestring" || s.SecurityDefinitions["token"].Type != "apiKey" {
		t.Errorf("the key is a %q and the definition has %+v", got, s.SecurityDefinitions)
	}
}

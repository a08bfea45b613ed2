package rules

import (
	"encoding/json"
	"fmt"

	"sundew"
)

// A schema is a part of a JSON Schema, draft 2020-12.
type schema map[string]any

// What the readers of single values accept. A value in YAML that looks like a number or a truth is one for an editor,
// so texts may be either.
var (
	textForm     = schema{"type": []string{"string", "number", "boolean"}}
	scalarForm   = textForm
	durationForm = schema{"type": "string", "pattern": `^([0-9]+d|0|([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+)$`, "examples": []string{"30s", "10m", "7d"}}
	shareForm    = schema{"type": "string", "pattern": `^[0-9]+(\.[0-9]*)?%$`, "examples": []string{"30%"}}
	momentForm   = schema{"type": "string", "pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}(T.+)?$`, "examples": []string{"2030-06-01"}}
	statusForm   = schema{"type": []string{"string", "integer"}, "pattern": "^[1-9]xx$", "minimum": 100, "maximum": 999}
)

func wordForm(known ...string) schema { return schema{"enum": known} }

func kindForm() schema {
	var known []string
	for kind := sundew.KindNone + 1; kind < sundew.NumKinds; kind++ {
		known = append(known, kind.String())
	}
	return wordForm(known...)
}

func actionForm() schema {
	var known []string
	for action := sundew.ActionObserve; action <= sundew.ActionBlock; action++ {
		known = append(known, action.String())
	}
	return wordForm(known...)
}

// objectForm describes a mapping by the readers of its keys.
func (d *decoder) objectForm(fields []field) schema {
	properties, needed := schema{}, []string{}
	for _, f := range fields {
		f.read(nil)
		properties[f.name] = d.form
		if f.required {
			needed = append(needed, f.name)
		}
	}
	form := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(needed) > 0 {
		form["required"] = needed
	}
	return form
}

// Schema returns the JSON Schema (draft 2020-12) of rule, policy and list files, for editors. It is made of what the
// readers of the files accept, so it knows every key; what a schema cannot say, such as whether a condition compiles, is
// left to Lint.
func Schema() []byte {
	describe := map[string]func(*file){
		kindRule:   func(f *file) { f.readRule(nil, nil) },
		kindPolicy: func(f *file) { f.readPolicy(nil, nil) },
		kindList:   func(f *file) { f.readList(nil) },
	}
	definitions, branches := schema{}, []schema{}
	for _, kind := range fileKinds {
		f := &file{}
		describe[kind](f)
		definitions[kind] = f.form
		branches = append(branches, schema{
			"if":   schema{"properties": schema{"kind": schema{"const": kind}}},
			"then": schema{"$ref": "#/$defs/" + kind},
		})
	}
	text, err := json.MarshalIndent(schema{
		"$schema":    "https://json-schema.org/draft/2020-12/schema",
		"title":      "sundew rule, policy or list",
		"type":       "object",
		"required":   []string{"apiVersion", "kind"},
		"properties": schema{"kind": wordForm(fileKinds...)},
		"allOf":      branches,
		"$defs":      definitions,
	}, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("rules: schema: %v", err)) // maps of texts and numbers
	}
	return append(text, '\n')
}

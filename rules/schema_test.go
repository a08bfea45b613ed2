package rules

import (
	"bytes"
	"io/fs"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("rules.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("rules.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON is a YAML document as an editor hands it to a schema.
func asJSON(n *yaml.Node) any {
	switch n.Kind {
	case yaml.DocumentNode:
		return asJSON(n.Content[0])
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = asJSON(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		items := []any{}
		for _, item := range n.Content {
			items = append(items, asJSON(item))
		}
		return items
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		if v, err := strconv.ParseFloat(n.Value, 64); err == nil {
			return v
		}
	case "!!bool":
		return n.Value == "true"
	}
	return n.Value
}

func validate(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(text), &n); err != nil {
		t.Fatal(err)
	}
	return s.Validate(asJSON(&n))
}

func TestSchemaTakesThePack(t *testing.T) {
	s := compiledSchema(t)
	files, err := fs.Glob(Starter(), "*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text, err := fs.ReadFile(Starter(), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, s, string(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

const friends = `apiVersion: sundew/v1
kind: List
id: friends
owner: team
purpose: allow
entries:
  - { entity: "ip:192.0.2.1", reason: a partner, expires: 2030-06-01 }
`

const ordinaryPolicy = `apiVersion: sundew/v1
kind: Policy
id: accounts
entity: account
ladder:
  - { at: 30, do: tarpit, delay: 1s, ttl: 10m }
  - { at: 60, nats: 5, do: block, ttl: 1d }
never_above: { lists.friends: observe }
`

// TestSchemaAgreesWithLoad: what one of them takes the other takes, and what is not a key or not of the type is refused
// by both.
func TestSchemaAgreesWithLoad(t *testing.T) {
	s := compiledSchema(t)
	for name, test := range map[string]struct {
		text string
		ok   bool
	}{
		"rule":                       {minimalRule, true},
		"rule with a whole day":      {minimalRule + "for: 1d\n", true},
		"rule with scope":            {minimalRule + "scope: { status: [404, 5xx], routes: [\"POST /login\"] }\n", true},
		"list":                       {friends, true},
		"policy":                     {ordinaryPolicy, true},
		"unknown key":                {minimalRule + "titel: x\n", false},
		"missing key":                {strings.Replace(minimalRule, "owner: team\n", "", 1), false},
		"unknown status":             {strings.Replace(minimalRule, "active", "on", 1), false},
		"too many points":            {strings.Replace(minimalRule, "add: 40", "add: 400", 1), false},
		"duration without unit":      {minimalRule + "for: 30\n", false},
		"status outside the classes": {minimalRule + "scope: { status: [0xx] }\n", false},
		"condition that is a list":   {strings.Replace(minimalRule, "when: ip.requests_1m > 10.0", "when: [a]", 1), false},
		"unknown threat":             {minimalRule + "references: { owasp_oat: [OAT-099] }\n", false},
		"entry without an end":       {strings.Replace(friends, ", expires: 2030-06-01", "", 1), false},
		"rung without an action":     {strings.Replace(ordinaryPolicy, "do: block, ", "", 1), false},
		"unknown kind":               {strings.Replace(friends, "kind: List", "kind: Lists", 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			files := []*file{newFile("friends.yaml", []byte(friends))}
			f := newFile(scalarID(test.text)+".yaml", []byte(test.text))
			set := &Set{lists: map[string]*list{}}
			f.compile(set, listNames(files))
			if loads := len(f.problems) == 0; loads != test.ok {
				t.Errorf("loads: %t, %v", loads, f.problems)
			}
			if err := validate(t, s, test.text); (err == nil) != test.ok {
				t.Errorf("schema: %v", err)
			}
		})
	}
}

func scalarID(text string) string {
	_, id, _ := strings.Cut(text, "\nid: ")
	id, _, _ = strings.Cut(id, "\n")
	return id
}

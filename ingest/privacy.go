package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"sundew"
)

// PrivacyConfig says what of an event is hidden before anything is stored or published.
type PrivacyConfig struct {
	// KeyFile turns pseudonyms on: sundew.ParsePseudonyms says what it holds. It is read at the start.
	KeyFile string `yaml:"key_file"`
	// Pseudonyms are the keys of events that get them: client.address, user.id, auth.username; by default all three.
	Pseudonyms []string `yaml:"pseudonyms"`
	// Drop are keys, of events or of their attributes, whose values are left out.
	Drop []string `yaml:"drop"`
	// Redact are keys of texts, or of attributes, whose values become "redacted".
	Redact []string `yaml:"redact"`
	// QueryValues are the names of query parameters whose values may be in the log; "*" is all of them. Scoring looks for
	// attacks in the log, so what is left out here it cannot find.
	QueryValues []string `yaml:"query_values"`
	// StoredQueryValues are those whose values may be in the store, too. By default none.
	StoredQueryValues []string `yaml:"stored_query_values"`
	// KeepRejected keeps the text of lines that cannot be read although something above is set. They hold whatever they
	// hold.
	KeepRejected bool `yaml:"keep_rejected"`
}

// DefaultPrivacyConfig hides nothing from scoring, and keeps the values of queries from the store.
func DefaultPrivacyConfig() PrivacyConfig { return PrivacyConfig{QueryValues: []string{everyValue}} }

const (
	everyValue = "*"
	redacted   = "redacted"
)

// pseudonymKeys are the keys of events that can have pseudonyms.
var pseudonymKeys = []string{"client.address", "user.id", "auth.username"}

// Validate reports the first setting that cannot work. It reads no file.
func (c PrivacyConfig) Validate() error {
	for _, key := range c.Pseudonyms {
		if !slices.Contains(pseudonymKeys, key) {
			return fmt.Errorf("ingest.privacy.pseudonyms: %q cannot have pseudonyms: want some of %s", key, strings.Join(pseudonymKeys, ", "))
		}
	}
	if len(c.Pseudonyms) > 0 && c.KeyFile == "" {
		return errors.New("ingest.privacy.pseudonyms need key_file")
	}
	for _, key := range c.Drop {
		if slices.Contains(neverDropped, key) {
			return fmt.Errorf("ingest.privacy.drop: an event needs %s", key)
		}
	}
	for _, key := range c.Redact {
		if slices.Contains(neverRedacted, key) {
			return fmt.Errorf("ingest.privacy.redact: with one text for all, everybody would be the same %s: drop it", key)
		}
		if f, known := eventFields[key]; known && f.text == nil {
			return fmt.Errorf("ingest.privacy.redact: %s is no text: drop it", key)
		}
	}
	return nil
}

var (
	neverDropped  = []string{"timestamp", "client.address", "gateway.id", "gateway.epoch", "gateway.sequence"}
	neverRedacted = []string{"client.address", "device.id", "user.id", "api_key.id", "tls.client.ja4", "session.id", "gateway.id"}
)

// eventField is a key of events that can be dropped, and redacted where it is a text.
type eventField struct {
	text func(e *sundew.Event) *string
	drop func(e *sundew.Event)
}

func textField(of func(e *sundew.Event) *string) eventField {
	return eventField{text: of, drop: func(e *sundew.Event) { *of(e) = "" }}
}

// eventFields are those of the contract. It is only read.
var eventFields = map[string]eventField{
	"client.forwarded":            textField(func(e *sundew.Event) *string { return &e.Forwarded }),
	"http.request.method":         textField(func(e *sundew.Event) *string { return &e.Method }),
	"server.address":              textField(func(e *sundew.Event) *string { return &e.Host }),
	"url.path":                    textField(func(e *sundew.Event) *string { return &e.Path }),
	"url.query":                   textField(func(e *sundew.Event) *string { return &e.Query }),
	"http.route":                  textField(func(e *sundew.Event) *string { return &e.Route }),
	"user_agent.original":         textField(func(e *sundew.Event) *string { return &e.UserAgent }),
	"http.request.header.referer": textField(func(e *sundew.Event) *string { return &e.Referer }),
	"device.id":                   textField(deviceOf),
	"user.id":                     textField(accountOf),
	"api_key.id":                  textField(apiKeyOf),
	"session.id":                  textField(func(e *sundew.Event) *string { return &e.Session }),
	"tls.client.ja4":              textField(ja4Of),
	"geo.country_iso_code":        textField(func(e *sundew.Event) *string { return &e.Country }),
	"auth.username":               textField(usernameOf),
	"object.id":                   textField(func(e *sundew.Event) *string { return &e.Object }),
	"attestation.provider":        textField(func(e *sundew.Event) *string { return &e.AttestationProvider }),
	"request.id":                  textField(func(e *sundew.Event) *string { return &e.RequestID }),
	"gateway.id":                  textField(func(e *sundew.Event) *string { return &e.Gateway }),
	"decision.id":                 textField(func(e *sundew.Event) *string { return &e.DecisionID }),

	"http.response.status_code":    {drop: func(e *sundew.Event) { e.Status = 0 }},
	"http.request.body.size":       {drop: func(e *sundew.Event) { e.RequestBytes = -1 }},
	"http.response.body.size":      {drop: func(e *sundew.Event) { e.ResponseBytes = -1 }},
	"http.server.request.duration": {drop: func(e *sundew.Event) { e.Duration = -1 }},
	"client.as.number":             {drop: func(e *sundew.Event) { e.ASN = 0 }},
	"auth.outcome":                 {drop: func(e *sundew.Event) { e.Auth = sundew.OutcomeNone }},
	"attestation.status":           {drop: func(e *sundew.Event) { e.Attestation = sundew.ProofUnchecked }},
	"signature.status":             {drop: func(e *sundew.Event) { e.Signature = sundew.ProofUnchecked }},
	"captcha.score":                {drop: func(e *sundew.Event) { e.CaptchaScore = -1 }},
	"device.age":                   {drop: func(e *sundew.Event) { e.DeviceAge = -1 }},
	"edge.action":                  {drop: func(e *sundew.Event) { e.EdgeAction = sundew.ActionNone }},
	"edge.delay":                   {drop: func(e *sundew.Event) { e.EdgeDelay = 0 }},
}

// Privacy hides what it is told to from events, once, where they are made. The nil *Privacy hides nothing. Any number of
// goroutines may use it.
type Privacy struct {
	names        *sundew.Pseudonyms // nil: none
	hidden       map[string]bool    // keys that get pseudonyms
	drop, redact map[string]bool
	values       queryValues
	keepRejected bool
}

// LoadPrivacy reads the key file. It returns nil where the configuration hides nothing from the log.
func LoadPrivacy(c PrivacyConfig) (*Privacy, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	p := &Privacy{drop: setOf(c.Drop), redact: setOf(c.Redact), values: setOf(c.QueryValues), keepRejected: c.KeepRejected}
	if c.KeyFile == "" {
		if len(c.Drop) == 0 && len(c.Redact) == 0 && p.values[everyValue] {
			return nil, nil
		}
		return p, nil
	}
	text, err := os.ReadFile(c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("ingest.privacy.key_file: %w", err)
	}
	if p.names, err = sundew.ParsePseudonyms(string(text)); err != nil {
		return nil, fmt.Errorf("ingest.privacy.key_file: %s: %w", c.KeyFile, err)
	}
	p.hidden = setOf(pseudonymKeys)
	if len(c.Pseudonyms) > 0 {
		p.hidden = setOf(c.Pseudonyms)
	}
	return p, nil
}

func setOf(keys []string) map[string]bool {
	set := map[string]bool{}
	for _, key := range keys {
		set[key] = true
	}
	return set
}

// Addresses returns the pseudonyms that client addresses have, nil where they have none.
func (p *Privacy) Addresses() *sundew.Pseudonyms {
	if p == nil || !p.hidden["client.address"] {
		return nil
	}
	return p.names
}

// Names says whether accounts or user names have pseudonyms.
func (p *Privacy) Names() bool { return p != nil && (p.hidden["user.id"] || p.hidden["auth.username"]) }

// hideQuery takes the values out of queries: before the object that a query asks for is looked for in them.
func (p *Privacy) hideQuery(e *sundew.Event) {
	if p != nil {
		p.values.strip(e)
	}
}

// hide does the rest.
func (p *Privacy) hide(e *sundew.Event) {
	if p == nil {
		return
	}
	p.hideAttributes(e)
	if p.hidden["user.id"] {
		e.Account = p.names.Name(e.Account, e.Time)
	}
	if p.hidden["auth.username"] {
		e.AuthUsername = p.names.Name(e.AuthUsername, e.Time)
	}
	if p.hidden["client.address"] {
		e.Client = p.names.Address(e.Client, e.Time)
		e.Forwarded = ""
	}
	for key := range p.drop {
		if f, known := eventFields[key]; known {
			f.drop(e)
		}
	}
	for key := range p.redact {
		if f, known := eventFields[key]; known && *f.text(e) != "" {
			*f.text(e) = redacted
		}
	}
}

// hideAttributes also hides what an attribute repeats of the event under another name.
func (p *Privacy) hideAttributes(e *sundew.Event) {
	kept := e.Attributes[:0]
	for _, a := range e.Attributes {
		name := strings.TrimPrefix(a.Key, foreignPrefix)
		if p.drop[a.Key] || p.drop[name] {
			continue
		}
		switch {
		case p.redact[a.Key] || p.redact[name]:
			a.Value = redacted
		case p.Names() && namesPerson(name) && a.Value != "-":
			a.Value = p.names.Name(a.Value, e.Time)
		case p.hidden["client.address"]:
			a.Value = p.hideAddresses(a.Value, e)
		}
		kept = append(kept, a)
	}
	e.Attributes = kept
}

// namesPerson is true for attributes that hold a user's name: those of accounts, and what servers copy from requests.
func namesPerson(key string) bool {
	if f := fields[key]; f != nil {
		return f.slot == slotAccount || f.slot == slotAuthUsername
	}
	switch key {
	case "remote_user", "user", "username", "user_name", "cs-username", "request.user_id", "upn", "email", "user.email":
		return true
	}
	return false
}

// addressLike is what an address, with a port or not, is made of.
var addressLike = regexp.MustCompile(`[0-9A-Fa-f:.]{3,}`)

// hideAddresses replaces every address in a text, and now and then what only looks like one.
func (p *Privacy) hideAddresses(text string, e *sundew.Event) string {
	hidden := addressLike.ReplaceAllStringFunc(text, func(run string) string {
		for _, candidate := range [...]string{run, strings.Trim(run, ":.")} {
			if addr, ok := parseClient([]byte(candidate)); ok {
				return strings.Replace(run, candidate, p.names.Address(addr, e.Time).String(), 1)
			}
		}
		return run
	})
	t := texts{}
	return string(t.bounded([]byte(hidden), sundew.MaxText))
}

// letter takes the text out of a letter.
func (p *Privacy) letter(l *sundew.DeadLetter) {
	if p == nil || p.keepRejected {
		return
	}
	l.Detail = fmt.Sprintf("%d bytes, not kept: ingest.privacy.keep_rejected", len(l.Line))
	l.Line = ""
}

// queryValues are the names of parameters whose values are kept.
type queryValues map[string]bool

// strip leaves the names of the other parameters.
func (v queryValues) strip(e *sundew.Event) {
	if v[everyValue] {
		return
	}
	e.Query = v.stripped(e.Query)
	e.Referer = v.strippedURL(e.Referer)
	e.Path = v.strippedURL(e.Path)
	for i := range e.Attributes {
		a := &e.Attributes[i]
		if f := fields[strings.TrimPrefix(a.Key, foreignPrefix)]; f != nil && f.slot == slotQuery {
			a.Value = v.stripped(a.Value)
			continue
		}
		a.Value = v.strippedURL(a.Value)
	}
}

// strippedURL strips what stands behind a question mark, to the end of the word.
func (v queryValues) strippedURL(text string) string {
	before, query, found := strings.Cut(text, "?")
	if !found {
		return text
	}
	end := strings.IndexAny(query, " \"#")
	if end < 0 {
		end = len(query)
	}
	return before + "?" + v.stripped(query[:end]) + query[end:]
}

func (v queryValues) stripped(query string) string {
	var out bytes.Buffer
	for pair := range strings.SplitAfterSeq(query, "&") {
		name, value, found := strings.Cut(pair, "=")
		if !found || v[name] {
			out.WriteString(pair)
			continue
		}
		out.WriteString(name + "=")
		if strings.HasSuffix(value, "&") {
			out.WriteByte('&')
		}
	}
	return out.String()
}

// ForStore returns what is to be done to an event on its way to the store.
func (c PrivacyConfig) ForStore() func(e *sundew.Event) {
	return queryValues(setOf(c.StoredQueryValues)).strip
}

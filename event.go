package sundew

import (
	"net/netip"
	"time"
)

// Bounds on what an attacker can put into one event. Decoders cut text at a rune boundary and count the cut.
const (
	MaxLine       = 64 << 10 // bytes of one log line; a longer one is a dead letter
	MaxText       = 2 << 10  // bytes of a path, a query, a referrer or a user agent
	MaxID         = 256      // bytes of an identifier: device, account, key, session, object, request
	MaxAttributes = 32       // unknown keys kept with an event
)

// Event is one request as its gateway reported it. Text is valid UTF-8 within the bounds above; the empty string means
// that the log did not say. An Event is not changed after decoding and may be read from many goroutines.
// Its texts may share a few kilobytes of memory with those of the events around it: who keeps one for long clones it.
//
// Field comments name the key of the canonical JSON event.
type Event struct {
	Time      time.Time  // timestamp, UTC
	Client    netip.Addr // client.address, unmapped, without zone; always valid
	Forwarded string     // client.forwarded: X-Forwarded-For as received

	Method        string        // http.request.method, upper case
	Host          string        // server.address, lower case
	Path          string        // url.path, as sent
	Query         string        // url.query, without the question mark
	Route         string        // http.route: the template, such as /orders/{id}
	Status        int           // http.response.status_code, 100 to 999; 0 unknown
	RequestBytes  int64         // http.request.body.size; -1 unknown
	ResponseBytes int64         // http.response.body.size; -1 unknown
	Duration      time.Duration // http.server.request.duration; -1 unknown
	UserAgent     string        // user_agent.original
	Referer       string        // http.request.header.referer

	Device  string // device.id, the GUID the app was given
	Account string // user.id
	APIKey  string // api_key.id
	Session string // session.id
	JA4     string // tls.client.ja4
	Country string // geo.country_iso_code, two upper-case letters
	ASN     uint32 // client.as.number; 0 unknown

	Auth         Outcome // auth.outcome
	AuthUsername string  // auth.username, hashed by the gateway
	Object       string  // object.id

	Attestation         Proof         // attestation.status: valid, invalid, expired, missing
	AttestationProvider string        // attestation.provider
	Signature           Proof         // signature.status: valid, invalid, missing, replayed
	CaptchaScore        float64       // captcha.score, 0 (bot) to 1 (human); -1 unknown
	DeviceAge           time.Duration // device.age; -1 unknown

	RequestID       string // request.id
	Gateway         string // gateway.id
	GatewayEpoch    uint64 // gateway.epoch: rises at every start of the gateway
	GatewaySequence uint64 // gateway.sequence: rises by one per line within an epoch; 0 unstamped

	EdgeAction Action        // edge.action: what the edge did to this request
	EdgeDelay  time.Duration // edge.delay: how much of Duration was ours
	DecisionID string        // decision.id: which decision the edge acted on

	Attributes []Attribute // unknown keys, in the order of the line

	Partition int32 // where the line stands in the log: scoring does not look at it
	Offset    int64
}

// Attribute is a key of the log line that the vocabulary does not know, kept as text.
type Attribute struct{ Key, Value string }

// Tenure is the age from which a device counts as somebody. Younger ones say nothing: an attacker makes as many as he likes.
const Tenure = 24 * time.Hour

// Tenured says whether the log knows the request's device for long enough. Where an address is shared, such a device
// answers for what it does itself.
func (e *Event) Tenured() bool { return e.Device != "" && e.DeviceAge >= Tenure }

// NewEvent returns an Event whose numeric fields say "unknown".
func NewEvent() Event {
	return Event{RequestBytes: -1, ResponseBytes: -1, Duration: -1, CaptchaScore: -1, DeviceAge: -1}
}

// Outcome is the result of an authentication attempt; the zero value means that the request was none.
type Outcome uint8

// The outcomes of auth.outcome.
const (
	OutcomeNone Outcome = iota
	OutcomeSuccess
	OutcomeFailure
)

var outcomeNames = []string{"", "success", "failure"}

// String returns the word of the contract, "" for OutcomeNone.
func (o Outcome) String() string { return wordOf(outcomeNames, o) }

// ParseOutcome reads a word of the contract; ok is false for any other.
func ParseOutcome(word string) (o Outcome, ok bool) { return parseWord[Outcome](outcomeNames, word) }

// Proof is the state of a proof of identity, an attestation or a signature; the zero value means that nobody checked.
type Proof uint8

// The states of attestation.status and signature.status.
const (
	ProofUnchecked Proof = iota
	ProofValid
	ProofInvalid
	ProofExpired
	ProofMissing
	ProofReplayed
)

var proofNames = []string{"", "valid", "invalid", "expired", "missing", "replayed"}

// String returns the word of the contract, "" for ProofUnchecked.
func (p Proof) String() string { return wordOf(proofNames, p) }

// ParseProof reads a word of the contract; ok is false for any other.
func ParseProof(word string) (p Proof, ok bool) { return parseWord[Proof](proofNames, word) }

func wordOf[T ~uint8](names []string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return ""
}

func parseWord[T ~uint8](names []string, word string) (T, bool) {
	for i, name := range names {
		if name == word {
			return T(i), true
		}
	}
	return 0, false
}

package rules

import "slices"

// Grades say how much of a threat logs of requests can show.
const (
	GradeStrong = "strong" // abuse of the kind stands out in what clients do
	GradePartly = "partly" // only some of it, or only with a field that not every log has
	GradeOut    = "out"    // it leaves no trace in requests
)

// Threat is a row of the OWASP API Security Top 10 (2023) or of the OWASP Automated Threats (OAT 1.3).
type Threat struct {
	ID    string `json:"id"` // as rules refer to it: API1:2023, OAT-008
	Title string `json:"title"`
	Grade string `json:"grade"`
	Blind string `json:"blind"` // what no rule here can see, or what a log needs for it
}

// Threats are the rows, in the order of the lists. The grades are a judgement of what the texts of OWASP describe.
var Threats = []Threat{
	{"API1:2023", "Broken object level authorization", GradeStrong, "one wrong object that is answered with 200"},
	{"API2:2023", "Broken authentication", GradeStrong, "weak hashing, keys that are not checked"},
	{"API3:2023", "Broken object property level authorization", GradePartly, "which properties were answered or accepted"},
	{"API4:2023", "Unrestricted resource consumption", GradeStrong, "a missing limit that nobody has used yet"},
	{"API5:2023", "Broken function level authorization", GradeStrong, "a function that wrongly answers 200 at once"},
	{"API6:2023", "Unrestricted access to sensitive business flows", GradeStrong, "people who are paid to click"},
	{"API7:2023", "Server side request forgery", GradePartly, "the request that the server sends"},
	{"API8:2023", "Security misconfiguration", GradePartly, "the fault itself"},
	{"API9:2023", "Improper inventory management", GradeStrong, "endpoints without traffic"},
	{"API10:2023", "Unsafe consumption of APIs", GradeOut, "what the API asks of others"},
	{"OAT-001", "Carding", GradeStrong, "cards tried once each from as many clients"},
	{"OAT-002", "Token cracking", GradeStrong, "codes tried once each from as many clients"},
	{"OAT-003", "Cost-inflation fraud", GradeStrong, "what a call costs"},
	{"OAT-004", "Fingerprinting", GradePartly, "tools that ask as browsers do"},
	{"OAT-005", "Scalping", GradeStrong, "resale"},
	{"OAT-006", "Expediting", GradeStrong, "steps that leave no request"},
	{"OAT-007", "Credential cracking", GradeStrong, "passwords tried elsewhere"},
	{"OAT-008", "Credential stuffing", GradeStrong, "one try per address and device, spread over weeks"},
	{"OAT-009", "CAPTCHA defeat", GradePartly, "solved by people; needs captcha.score"},
	{"OAT-010", "Card cracking", GradeStrong, "which card was tried"},
	{"OAT-011", "Scraping", GradeStrong, "a crawl as slow as a reader"},
	{"OAT-012", "Cashing out", GradePartly, "the value that moves"},
	{"OAT-013", "Sniping", GradePartly, "the deadline"},
	{"OAT-014", "Vulnerability scanning", GradeStrong, "payloads in bodies"},
	{"OAT-015", "Denial of service", GradeStrong, "floods below HTTP"},
	{"OAT-016", "Skewing", GradePartly, "what the numbers are used for"},
	{"OAT-017", "Spamming", GradePartly, "what is written"},
	{"OAT-018", "Footprinting", GradeStrong, "what is learned without asking"},
	{"OAT-019", "Account creation", GradeStrong, "accounts made one per address and device"},
	{"OAT-020", "Account aggregation", GradeStrong, "whether the account's owner agreed"},
	{"OAT-021", "Denial of inventory", GradeStrong, "holds that were meant"},
}

// Coverage is what the rules of a set do about one threat.
type Coverage struct {
	Threat
	Rules []CoveringRule `json:"rules"` // by id; those that refer to the threat
}

// CoveringRule is a rule that refers to a threat, and how its own tests ended.
type CoveringRule struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Status string `json:"status"`
	Passed int    `json:"passed"`
	Failed int    `json:"failed"`
}

// Coverage runs the tests of the rules and returns one row per threat, from the references of the rules.
func (s *Set) Coverage() []Coverage {
	covering := make([]CoveringRule, len(s.rules))
	for i, r := range s.rules {
		covering[i] = CoveringRule{ID: r.ID, Title: r.Title, Status: r.Status}
		for t := range r.tests {
			if s.runTest(r, &r.tests[t]).Passed {
				covering[i].Passed++
			} else {
				covering[i].Failed++
			}
		}
	}
	rows := make([]Coverage, len(Threats))
	for i, threat := range Threats {
		rows[i] = Coverage{Threat: threat, Rules: []CoveringRule{}}
		for j, r := range s.rules {
			if slices.Contains(r.OWASPAPI, threat.ID) || slices.Contains(r.OWASPOAT, threat.ID) {
				rows[i].Rules = append(rows[i].Rules, covering[j])
			}
		}
	}
	return rows
}

// threatIDs are the references that a rule may make.
func threatIDs() []string {
	ids := make([]string, len(Threats))
	for i, threat := range Threats {
		ids[i] = threat.ID
	}
	return ids
}

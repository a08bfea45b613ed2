package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sundew"
)

// Attack is one kind of abuse, and when and how hard it is tried. Name is one of the catalogue; OWASP and Sentence are
// the catalogue's and need not be given.
type Attack struct {
	Name     string   `yaml:"name"`
	OWASP    []string `yaml:"-"` // automated threats (OAT-008) and API risks (API2:2023)
	Sentence string   `yaml:"-"` // what the attacker does

	After     time.Duration `yaml:"after"`     // from the start of the traffic to the first request
	Lasts     time.Duration `yaml:"lasts"`     // 0: as in the catalogue
	Every     time.Duration `yaml:"every"`     // begins again this long after its beginning, from fresh addresses; 0: never
	Intensity float64       `yaml:"intensity"` // 1 blatant; towards 0 slower, irregular and disguised; 0: as in the catalogue
}

// method is how an attack is carried out.
type method struct {
	Attack
	// slow and fast are requests per minute, of all addresses together, at the intensities 0 and 1.
	slow, fast float64
	// addresses is how many the campaign sends from, in turn.
	addresses int
	// oneNetwork says that they lie in one IPv6 /64 of the attacker's own.
	oneNetwork bool
	// arm gives a campaign what it carries from its first request on; nil when that is nothing.
	arm func(c *campaign)
	// strike fills in one request.
	strike func(c *campaign, e *sundew.Event)
}

// methods lists every attack. A new one is a file and a line here.
func methods() []method {
	return []method{
		credentialStuffing(),
		distributedCredentialStuffing(),
		passwordBruteForce(),
		scraping(),
		objectEnumeration(),
		vulnerabilityScan(),
		tokenCracking(),
		fakeAccounts(),
		flood(),
		replayedDevice(),
		forgedSignatures(),
		botnetCredentialStuffing(),
		carding(),
		cardCracking(),
		scalping(),
		inventoryHoarding(),
		reviewSpam(),
		accountAggregation(),
		smsPumping(),
		apiDiscovery(),
		adminProbing(),
		parameterInjection(),
		passwordResetFlood(),
	}
}

// Catalogue returns every attack as it is tried when nothing else is said.
func Catalogue() []Attack {
	var attacks []Attack
	for _, m := range methods() {
		attacks = append(attacks, m.Attack)
	}
	return attacks
}

func (a *Attack) validate() error {
	m, known := methodOf(*a)
	switch {
	case !known:
		return fmt.Errorf("unknown attack %q: want one of %s", a.Name, strings.Join(attackNames(), ", "))
	case a.After < 0:
		return fmt.Errorf("%s: after is %s: it must not be below 0", a.Name, a.After)
	case a.Lasts < 0:
		return fmt.Errorf("%s: lasts is %s: it must not be below 0", a.Name, a.Lasts)
	case a.Every != 0 && a.Every < time.Second:
		return fmt.Errorf("%s: every is %s: it must be 0 or at least 1s", a.Name, a.Every)
	case m.Intensity == 0 || !within(m.Intensity, 0, 1):
		return fmt.Errorf("%s: intensity is %g: it must be above 0 and at most 1", a.Name, a.Intensity)
	}
	return nil
}

// rounds says how often the attack begins within the duration.
func (a *Attack) rounds(duration time.Duration) int {
	if a.After >= duration {
		return 0
	}
	if a.Every == 0 {
		return 1
	}
	return int((duration-a.After-1)/a.Every) + 1
}

// methodOf returns the method of the attack's name, with the wishes of a in place of the catalogue's.
func methodOf(a Attack) (m method, known bool) {
	all := methods()
	i := slices.IndexFunc(all, func(m method) bool { return m.Name == a.Name })
	if i < 0 {
		return method{}, false
	}
	m = all[i]
	m.After, m.Every = a.After, a.Every
	if a.Lasts != 0 {
		m.Lasts = a.Lasts
	}
	if a.Intensity != 0 {
		m.Intensity = a.Intensity
	}
	return m, true
}

func attackNames() []string {
	var names []string
	for _, a := range Catalogue() {
		names = append(names, a.Name)
	}
	return names
}

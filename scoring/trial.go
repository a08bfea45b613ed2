package scoring

import (
	"strings"

	"sundew"
)

// trial is what the channels need to know of an event, worked out once for all its entities.
type trial struct {
	device      uint64 // hash of its text, 0 without one
	userAgent   uint64 // the same
	second      uint32 // Unix time, within what 32 bits hold
	status      int
	clientError bool
	authAttempt bool
	authFailure bool
	unbidden    bool // browsers and crawlers ask for it without anybody's wish
	write       bool // would change something, and is no attempt to log in
	asset       bool // part of a page: a picture, a style, a script
	ours        bool // an edge of ours answered, so the status is not the API's word
	proofs      proofs
	odd         bool   // the request line has text that an attack could hide in
	attack      bool   // and an attack does
	object      uint64 // the object's number, 0 where it has none
	kibibytes   uint32
	bits        [numSets]uint64 // each with the one bit of the set's member, or 0 where the event names none
	quota       Quota           // of the configuration
	aged, fresh bool            // the log knows how old the device is; it is new
	counts      uint16          // a bit for each count that it adds to
	climate     *climate
	software    uint64 // the one bit of its software, or 0 where nothing of it is logged
	network     uint64 // the same of the network that it comes from
	route       uint64 // the same of its method and route
	routeClass  uint16 // the same in finer classes, 0 where no route is named
	ways        *[numFlows]ways
	volumes     *volumes
	repute      repute // of the address
	face        uint64 // the one bit of what the client shows of itself, or 0 where it shows nothing
	tenured     uint64 // the device's bit where the log says that the device is tenured
	outage      bool   // other fingerprints cannot log in either
	answered    bool   // the address answers for itself or has spoken; only its cell writes it, before fingerprints read it
}

func newTrial(e *sundew.Event, h hasher) (t trial) {
	t.read(e, h)
	return t
}

// read works out everything that the event itself says.
func (t *trial) read(e *sundew.Event, h hasher) {
	*t = trial{
		second:      secondOf(e.Time),
		status:      e.Status,
		clientError: e.Status >= 400 && e.Status <= 499,
		unbidden:    unbidden(e.Path),
		asset:       (e.Method == "GET" || e.Method == "HEAD") && partOfPage(e.Path),
		ours:        e.EdgeAction >= sundew.ActionChallenge,
		kibibytes:   uint32(min(max(e.ResponseBytes, 0)/1024, 1<<30)),
	}
	t.authAttempt, t.authFailure = authentication(e)
	t.write = writes(e.Method) && !t.authAttempt
	t.proofs = proofsOf(e)
	t.odd, t.attack = inspect(e.Path, e.Query)
	t.object = numberOf(e.Object)
	t.bits = [numSets]uint64{
		setPaths:     h.bit(e.Path),
		setAccounts:  h.bit(firstOf(e.AuthUsername, e.Account)),
		setObjects:   h.bit(e.Object),
		setUsernames: h.bit(e.AuthUsername),
	}
	if e.Device != "" {
		t.device = h.text(e.Device)
		t.bits[setDevices] = bitOf(t.device)
	}
	if e.UserAgent != "" {
		t.userAgent = h.text(e.UserAgent)
		t.bits[setUserAgents] = bitOf(t.userAgent)
	}
	t.face = t.faceOf(e, h)
	t.software, t.network = t.pastOf(e, h)
	if e.Route != "" && !t.asset && !t.unbidden {
		t.route, t.routeClass = h.routeOf(e)
	}
	t.counts = countsOf(t)
	t.aged, t.fresh = e.DeviceAge >= 0, e.DeviceAge >= 0 && e.DeviceAge < freshAge
	if e.Tenured() {
		t.tenured = t.bits[setDevices]
	}
}

// writes says whether a method is meant to change something (RFC 9110, section 9.2.1: it is not safe).
func writes(method string) bool {
	switch method {
	case "POST", "PUT", "PATCH", "DELETE":
		return true
	}
	return false
}

// concernsGroups says whether the event speaks to a channel that groups have.
func (t *trial) concernsGroups() bool { return t.authAttempt || t.write || t.proofs.checked }

// authentication says whether the request tried to prove who it is, and whether that failed. The log's own word counts;
// else a POST to something that reads like a login, or any 401.
func authentication(e *sundew.Event) (attempt, failure bool) {
	switch {
	case e.EdgeAction >= sundew.ActionChallenge:
		return false, false
	case e.Auth != sundew.OutcomeNone:
		return true, e.Auth == sundew.OutcomeFailure
	case e.Status == 401:
		return true, true
	case e.Method == "POST" && readsLikeLogin(e.Path):
		return true, e.Status == 403 || e.Status == 400 || e.Status == 422
	default:
		return false, false
	}
}

// readsLikeLogin looks for the usual names of login routes in the last two segments of a path.
func readsLikeLogin(path string) bool {
	end := len(path)
	for range 2 {
		slash := strings.LastIndexByte(path[:end], '/')
		if slash < 0 {
			return false
		}
		segment := path[slash+1 : end]
		for _, word := range [...]string{"login", "log-in", "signin", "sign-in", "sign_in", "logon", "oauth", "authenticate", "xmlrpc.php"} {
			if containsFold(segment, word) {
				return true
			}
		}
		end = slash
	}
	return false
}

// unbidden names what browsers and well-behaved crawlers fetch on their own, whether or not a site has it.
func unbidden(path string) bool {
	name := path[strings.LastIndexByte(path, '/')+1:]
	switch name {
	case "favicon.ico", "robots.txt", "ads.txt", "app-ads.txt", "sitemap.xml", "browserconfig.xml", "humans.txt", "security.txt":
		return true
	}
	return strings.HasPrefix(name, "apple-touch-icon") || strings.HasPrefix(name, "favicon-") || strings.HasPrefix(path, "/.well-known/")
}

// partOfPage goes by the ending of the path's last segment.
func partOfPage(path string) bool {
	name := path[strings.LastIndexByte(path, '/')+1:]
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 || len(name)-dot > len(".woff2") {
		return false
	}
	switch name[dot+1:] {
	case "css", "js", "mjs", "map", "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "woff", "woff2", "ttf", "otf", "eot":
		return true
	}
	return false
}

// containsFold reports whether text contains the lower-case ASCII word in any case.
func containsFold(text, word string) bool {
	for i := 0; i+len(word) <= len(text); i++ {
		if strings.EqualFold(text[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

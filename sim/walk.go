package sim

import (
	"math/rand/v2"
	"strconv"

	"sundew"
)

// step is where a person stands in the app.
type step uint8

// The steps before and after the login.
const (
	registering step = iota
	loggingIn
	resetting
	opening
	browsing
	listing
	searching
	viewing
	choosing
	redeeming
	paying
	reviewing
	tracking
	managing
	favouring // one picture after the other
	writing   // reviews of what was ordered
	proving   // that a telephone number is one's own
	adding    // a card
	verifying
	picturing
	numSteps
)

// signedIn says that the step is one of those that need a session.
func (s step) signedIn() bool { return s >= opening }

// paths holds, for each step that needs a session, how many of a hundred people go on to which step.
var paths = [numSteps][]struct {
	percent int
	to      step
}{
	browsing:  {{20, browsing}, {30, listing}, {15, searching}, {20, viewing}, {10, reviewing}, {5, managing}},
	listing:   {{25, listing}, {60, viewing}, {10, searching}, {5, browsing}},
	searching: {{30, searching}, {55, viewing}, {15, browsing}},
	viewing:   {{37, viewing}, {25, listing}, {15, choosing}, {10, searching}, {10, browsing}, {3, favouring}},
	choosing:  {{45, viewing}, {20, choosing}, {5, redeeming}, {30, paying}},
	redeeming: {{10, redeeming}, {70, paying}, {20, browsing}},
	paying:    {{60, tracking}, {40, browsing}},
	reviewing: {{70, tracking}, {30, browsing}},
	tracking:  {{30, tracking}, {20, reviewing}, {46, browsing}, {4, writing}},
	managing:  {{30, managing}, {58, browsing}, {4, proving}, {6, adding}, {2, picturing}},
	favouring: {{60, favouring}, {40, viewing}},
	writing:   {{35, writing}, {65, browsing}},
	proving:   {{25, proving}, {75, managing}},
	adding:    {{15, adding}, {85, verifying}},
	verifying: {{10, verifying}, {90, browsing}},
	picturing: {{20, picturing}, {80, managing}},
}

// next draws the step that follows.
func (s step) next(rng *rand.Rand) step {
	draw := rng.IntN(100)
	for _, path := range paths[s] {
		if draw < path.percent {
			return path.to
		}
		draw -= path.percent
	}
	return browsing
}

// send fills in the request of a step that needs a session and not to know whose.
func (s step) send(rng *rand.Rand, e *sundew.Event) {
	switch s {
	case listing:
		products.call(rng, e)
		e.Query = "page=" + strconv.Itoa(1+int(rng.ExpFloat64()*3))
	case searching:
		search.call(rng, e)
		e.Query = "q=" + words[rng.IntN(len(words))]
	case viewing:
		product.callObject(rng, e, popularProduct(rng))
		gone(rng, e)
	case choosing:
		cart.call(rng, e)
	case redeeming:
		redeem(rng, e)
	case paying:
		checkout.call(rng, e)
	case reviewing:
		orders.call(rng, e)
	case managing:
		profile.call(rng, e)
	case favouring:
		favourite.call(rng, e)
		e.Object = popularProduct(rng)
	case writing:
		id := popularProduct(rng)
		review.callPath(rng, e, id+"/reviews")
		e.Object = id
	case picturing:
		picture.call(rng, e)
	default:
		feed.call(rng, e)
	}
}

// redeem tries a coupon that a friend or an advertisement named; one in five is mistyped or over.
func redeem(rng *rand.Rand, e *sundew.Event) {
	code := knownCoupons[rng.IntN(len(knownCoupons))]
	wrong := chance(rng, 0.2)
	if wrong {
		code = couponCode(rng)
	}
	coupon.callObject(rng, e, code)
	if wrong {
		answer(e, 404)
	}
}

// gone answers now and then that the object is not there any more.
func gone(rng *rand.Rand, e *sundew.Event) {
	if chance(rng, goneShare) {
		answer(e, 404)
	}
}

// popularProduct returns a product id; a few products get most of the views.
func popularProduct(rng *rand.Rand) string {
	u := rng.Float64()
	return strconv.Itoa(1 + int(u*u*u*(catalogueSize-1)))
}

// couponCode returns a code that nobody gave out.
func couponCode(rng *rand.Rand) string {
	const alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	var code [8]byte
	for i := range code {
		code[i] = alphabet[rng.IntN(len(alphabet))]
	}
	return string(code[:])
}

var (
	knownCoupons = [...]string{"WELCOME10", "AUTUMN26", "FRIENDS5", "FREESHIP", "TERNDAY"}
	words        = [...]string{"kettle", "lamp", "wool+scarf", "desk", "boots", "rain+coat", "teapot", "notebook", "candle", "backpack", "mug", "blanket"}
)

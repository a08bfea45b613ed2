package sim

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"sundew"
)

// endpoint is one route of the shop and what answering it takes.
type endpoint struct {
	method   string
	route    string        // template
	status   int           // when all goes well
	sends    int64         // bytes of the request's body
	receives float64       // bytes of the response's body, median
	takes    time.Duration // median
}

// The routes.
var (
	register  = endpoint{"POST", "/v1/register", 201, 640, 420, 90 * time.Millisecond}
	login     = endpoint{"POST", "/v1/login", 200, 180, 900, 160 * time.Millisecond}
	refresh   = endpoint{"POST", "/v1/token/refresh", 200, 120, 700, 40 * time.Millisecond}
	feed      = endpoint{"GET", "/v1/feed", 200, 0, 18_000, 60 * time.Millisecond}
	products  = endpoint{"GET", "/v1/products", 200, 0, 22_000, 45 * time.Millisecond}
	product   = endpoint{"GET", "/v1/products/{id}", 200, 0, 5_200, 25 * time.Millisecond}
	search    = endpoint{"GET", "/v1/search", 200, 0, 15_000, 140 * time.Millisecond}
	cart      = endpoint{"POST", "/v1/cart/items", 201, 90, 1_400, 45 * time.Millisecond}
	coupon    = endpoint{"POST", "/v1/coupons/{code}", 200, 40, 300, 35 * time.Millisecond}
	checkout  = endpoint{"POST", "/v1/orders", 201, 720, 1_900, 320 * time.Millisecond}
	orders    = endpoint{"GET", "/v1/orders", 200, 0, 6_000, 50 * time.Millisecond}
	order     = endpoint{"GET", "/v1/orders/{id}", 200, 0, 2_600, 30 * time.Millisecond}
	profile   = endpoint{"GET", "/v1/profile", 200, 0, 1_100, 20 * time.Millisecond}
	inbox     = endpoint{"GET", "/v1/notifications", 200, 0, 400, 12 * time.Millisecond}
	inventory = endpoint{"GET", "/v1/partner/inventory", 200, 0, 48_000, 80 * time.Millisecond}
	dispatch  = endpoint{"POST", "/v1/partner/orders", 201, 2_400, 600, 110 * time.Millisecond}
)

// Routes that only machines ask for.
var (
	health  = endpoint{"GET", "/health", 200, 0, 40, 2 * time.Millisecond}
	pending = endpoint{"GET", "/v1/partner/orders/pending", 200, 0, 900, 30 * time.Millisecond}
)

// Routes that a person uses now and then.
var (
	card      = endpoint{"POST", "/v1/payment-methods", 201, 310, 420, 260 * time.Millisecond}
	verify    = endpoint{"POST", "/v1/payment-methods/{card}/verification", 200, 60, 240, 240 * time.Millisecond}
	favourite = endpoint{"POST", "/v1/favourites", 201, 40, 90, 20 * time.Millisecond}
	review    = endpoint{"POST", "/v1/products/{id}/reviews", 201, 900, 300, 40 * time.Millisecond}
	oneTime   = endpoint{"POST", "/v1/verification-codes", 202, 70, 120, 70 * time.Millisecond}
	reset     = endpoint{"POST", "/v1/password/reset", 202, 80, 100, 60 * time.Millisecond}
	picture   = endpoint{"POST", "/v1/profile/picture", 202, 180, 300, 350 * time.Millisecond}
)

// Routes of the shop's own people, who use them from inside.
var overview = endpoint{"GET", "/v1/admin/{section}", 200, 0, 2_000, 15 * time.Millisecond}

// The web page.
var (
	frontPage = endpoint{"GET", "/", 200, 0, 34_000, 70 * time.Millisecond}
	shopPage  = endpoint{"GET", "/shop/{slug}", 200, 0, 31_000, 65 * time.Millisecond}
	asset     = endpoint{"GET", "/static/{file}", 200, 0, 21_000, 4 * time.Millisecond}
	robots    = endpoint{"GET", "/robots.txt", 200, 0, 200, 2 * time.Millisecond}
)

// Shares of requests that go wrong for everybody.
const (
	serverErrorShare = 0.002
	goneShare        = 0.01 // products and orders that are not there any more
	catalogueSize    = 20_000
)

// call fills in a request of the route that is answered as it should be.
func (ep *endpoint) call(rng *rand.Rand, e *sundew.Event) {
	e.Method, e.Route, e.Path = ep.method, ep.route, ep.route
	e.Status = ep.status
	e.RequestBytes = ep.sends
	e.ResponseBytes = int64(spread(rng, ep.receives))
	e.Duration = time.Duration(spread(rng, float64(ep.takes))).Truncate(precision)
}

// callPath is call for a route whose template ends in a name.
func (ep *endpoint) callPath(rng *rand.Rand, e *sundew.Event, name string) {
	ep.call(rng, e)
	prefix, _, _ := strings.Cut(ep.route, "{")
	e.Path = prefix + name
}

// callObject is callPath where the name is the id of an object that has an owner or a value.
func (ep *endpoint) callObject(rng *rand.Rand, e *sundew.Event, id string) {
	ep.callPath(rng, e, id)
	e.Object = id
}

// answer replaces the status of a request that was not served as asked; such an answer is short, and one of "not
// modified" empty.
func answer(e *sundew.Event, status int) {
	e.Status = status
	e.ResponseBytes = 160
	if status == http.StatusNotModified {
		e.ResponseBytes = 0
	}
}

// mishap turns a request now and then into one that the server failed to serve.
func mishap(rng *rand.Rand, e *sundew.Event) {
	if chance(rng, serverErrorShare) {
		answer(e, []int{500, 502, 503}[rng.IntN(3)])
	}
}

// tryLogin fills in an attempt to log in as the user name.
func tryLogin(rng *rand.Rand, e *sundew.Event, username string, succeeds bool) {
	login.call(rng, e)
	e.AuthUsername = username
	e.Auth = sundew.OutcomeSuccess
	if !succeeds {
		e.Auth = sundew.OutcomeFailure
		answer(e, 401)
	}
}

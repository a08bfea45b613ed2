package sim

import (
	"math/rand/v2"
	"strconv"
	"time"

	"sundew"
)

// browser is a person on the web page: a visit is a few pages, and a page is a document with 20 to 60 requests that
// follow within seconds.
type browser struct {
	visits arrivals
	place
	platform
	session string
	pages   int // left of the visit, with the one in hand
	assets  int // left of the page
	page    string
}

const (
	pagesPerVisit = 3.0 // mean of a geometric number
	assetsLow     = 20
	assetsHigh    = 60
	readingMean   = 25 * time.Second
	frontShare    = 0.3 // of pages
	cachedShare   = 0.3 // of assets
)

func (s *settler) addBrowser(number uint32, at place) {
	rng := newRand(s.config.Seed, forBehaviour, uint64(number))
	perVisit := pagesPerVisit * (1 + (assetsLow+assetsHigh)/2)
	b := &browser{
		visits:   s.arrivals(rng, perVisit),
		place:    at,
		platform: browsers[rng.IntN(len(browsers))],
	}
	s.add(number, b, b.visits.after(0))
}

func (b *browser) request(at time.Duration, e *sundew.Event) time.Duration {
	rng := b.visits.rng
	e.Client, e.Country, e.ASN = b.addr, b.country, b.asn
	e.UserAgent, e.JA4 = b.agent, b.ja4
	if b.pages == 0 {
		b.arrive(rng)
	}
	e.Session = b.session
	if b.assets > 0 {
		b.loadAsset(rng, e)
	} else {
		b.openPage(rng, e)
	}
	mishap(rng, e)
	return b.next(at)
}

// arrive begins a visit.
func (b *browser) arrive(rng *rand.Rand) {
	b.session = hex16(rng.Uint64())
	b.pages = 1
	for !chance(rng, 1/pagesPerVisit) {
		b.pages++
	}
}

func (b *browser) openPage(rng *rand.Rand, e *sundew.Event) {
	if chance(rng, frontShare) {
		frontPage.call(rng, e)
	} else {
		shopPage.callPath(rng, e, "item-"+popularProduct(rng))
		gone(rng, e)
	}
	if b.page != "" {
		e.Referer = "https://" + Host + b.page
	}
	b.page = e.Path
	b.assets = assetsLow + rng.IntN(assetsHigh-assetsLow+1)
}

func (b *browser) loadAsset(rng *rand.Rand, e *sundew.Event) {
	kind := assetKinds[rng.IntN(len(assetKinds))]
	asset.callPath(rng, e, kind.prefix+strconv.Itoa(b.assets)+kind.suffix)
	e.Referer = "https://" + Host + b.page
	if chance(rng, cachedShare) {
		answer(e, 304)
	}
	b.assets--
	if b.assets == 0 {
		b.pages--
	}
}

// next returns when the following request of the page is due, or the next page, or the next visit.
func (b *browser) next(at time.Duration) time.Duration {
	switch rng := b.visits.rng; {
	case b.assets > 0:
		return at + between(rng, 2*time.Millisecond, 120*time.Millisecond)
	case b.pages > 0:
		return at + 2*time.Second + seconds(rng.ExpFloat64()*readingMean.Seconds())
	}
	b.page = ""
	return b.visits.after(at)
}

var assetKinds = [...]struct{ prefix, suffix string }{
	{"chunk-", ".js"}, {"style-", ".css"}, {"photo-", ".webp"}, {"icon-", ".svg"}, {"font-", ".woff2"},
}

package scoring

import (
	"fmt"
	"time"

	"sundew"
)

// Quota is the number of requests that one entity of a kind may send in a UTC day, pictures, styles and scripts of pages
// not counted. 0 leaves it to what the entity sent on earlier days.
type Quota struct {
	IP      int `yaml:"ip"`
	Device  int `yaml:"device"`
	Account int `yaml:"account"`
	APIKey  int `yaml:"api_key"`
}

func (q Quota) negative() bool { return min(q.IP, q.Device, q.Account, q.APIKey) < 0 }

func (q Quota) of(kind sundew.Kind) int {
	switch kind {
	case sundew.KindIP:
		return q.IP
	case sundew.KindDevice:
		return q.Device
	case sundew.KindAccount:
		return q.Account
	case sundew.KindAPIKey:
		return q.APIKey
	default:
		return 0
	}
}

const (
	quotaMargin  = 1.1 // what may be sent is this times the expectation
	minQuotaDays = 2.5 // trusted days, rounded to 3, before there is an expectation
	maxQuotaDays = 14  // that count, so that the expectation follows a change
)

// quotaFloor is the least that is expected of a day: whoever hardly ever came may come for an afternoon.
var quotaFloor = priorCount{
	sundew.KindIP:      200,
	sundew.KindDevice:  200,
	sundew.KindAccount: 200,
	sundew.KindAPIKey:  2000,
}

// priorCount is a number of requests for each kind of entity.
type priorCount [sundew.NumKinds]float64

// quotaChannel sees more requests in a day than are allowed. Without a configured quota and without a past of three days
// there is no measure and no evidence.
func quotaChannel() channel {
	return channel{
		name:    "quota",
		kinds:   kinds(sundew.KindIP, sundew.KindDevice, sundew.KindAccount, sundew.KindAPIKey),
		crowd:   true,
		step:    quotaStep,
		explain: quotaExplain,
	}
}

// quotaSlack is the alternative's index: it expects nearly every entity that crosses the limit to reach twice of it.
const quotaSlack = .15

// quotaStep takes one request of today beyond the limit as a trial of whether there would be one more.
//
// The null: a day that crosses the limit L has n requests or more with probability L/n, a Pareto tail of index 1, which
// gives half of the days that reach n a further n. Real days end sooner. Given n, "another request comes today" then has
// probability n/(n+1); the alternative says n/(n+quotaSlack). The day's end settles the last trial.
func quotaStep(s *state, t *trial) (ratio, start float64, tried bool) {
	if t.asset {
		return 1, 0, false
	}
	if s.QuotaLimit == 0 {
		s.QuotaLimit = float32(s.quotaLimit(t.quota))
	}
	beyond := float64(s.today()) - 1 - float64(s.QuotaLimit)
	if s.QuotaLimit == 0 || beyond < 0 {
		return 1, 0, false
	}
	return quotaDuel(float64(s.today())-1, true), startWeight(uint32(beyond)), true
}

// quotaDuel is the evidence ratio of another request after n, or of the day's end.
func quotaDuel(n float64, more bool) float64 {
	if more {
		return (n + 1) / (n + quotaSlack)
	}
	return quotaSlack * (n + 1) / (n + quotaSlack)
}

// quotaLimit is what is allowed for today, 0 where there is no measure.
func (s *state) quotaLimit(configured Quota) float64 {
	if n := configured.of(sundew.Kind(s.Kind)); n > 0 {
		return quotaMargin * float64(n)
	}
	if s.QuotaDays < minQuotaDays {
		return 0
	}
	return quotaMargin * max(float64(s.QuotaMean), quotaFloor[s.Kind])
}

// today is the number of today's requests, those for parts of pages left out.
func (s *state) today() uint32 { return s.TodayCount + uint32(s.InMinute) }

// closeQuota ends the day of the quota channel. A trusted day joins the past, whose mean it can at most double.
func (s *state) closeQuota(weight float64) {
	s.QuotaLimit = 0
	count := float64(s.today())
	if count == 0 || weight <= 0 {
		return
	}
	if s.QuotaDays > 0 {
		count = min(count, 2*max(float64(s.QuotaMean), quotaFloor[s.Kind]))
	}
	days := float64(s.QuotaDays) + weight
	s.QuotaMean += float32(weight / days * (count - float64(s.QuotaMean)))
	s.QuotaDays = float32(min(days, maxQuotaDays))
}

func quotaExplain(s *state) (observed, expected float64, window time.Duration, sentence string) {
	observed, expected = float64(s.today()), float64(s.QuotaLimit)/quotaMargin
	return observed, expected, s.sinceMidnight(),
		fmt.Sprintf("%.0f requests today, %.0f expected", observed, expected)
}

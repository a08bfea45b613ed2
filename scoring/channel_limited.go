package scoring

import "sundew"

// limitedPrior expects one request in ten to be told to slow down: an app that starts sends what it saved up, retries, and
// backs off. Behind an address or a key one client in a hurry speaks for all.
var limitedPrior = priorOf{
	sundew.KindIP:      {2, 8},
	sundew.KindDevice:  {1, 9},
	sundew.KindAccount: {1, 9},
	sundew.KindAPIKey:  {2, 8},
}

// limitedChannel sees an entity go on asking while the API itself answers 429. What an edge of ours refused is our word
// and no evidence.
func limitedChannel() channel {
	return channel{
		name:  "outcome_limited",
		prior: &limitedPrior,
		kinds: kinds(sundew.KindIP, sundew.KindDevice, sundew.KindAccount, sundew.KindAPIKey),
		step: func(s *state, t *trial) (float64, float64, bool) {
			if t.ours || t.unbidden || t.status == 0 || t.status == statusClientClosed {
				return 1, 0, false
			}
			return rare(s, chLimited, &limitedPrior, t.status == statusTooManyRequests, 1)
		},
		explain: outcomeExplain(chLimited, &limitedPrior, "%d of %d requests were told to slow down, %.1f expected"),
	}
}

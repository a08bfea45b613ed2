package scoring

import (
	"testing"
	"time"

	"sundew"
)

func TestIdentityChannels(t *testing.T) {
	tell(t, []story{
		{
			"a script that cannot sign sends orders in the app's name", device, 20, 2 * time.Second,
			func(_ int, e *sundew.Event) { e.Device, e.Signature = "d-1", sundew.ProofInvalid },
			90, 100, "identity_forged",
		},
		{
			"an account's requests are recorded and sent again, after a morning of honest ones", account, 240, 10 * time.Second,
			func(i int, e *sundew.Event) {
				e.Account, e.Signature = "a-1", sundew.ProofValid
				if i >= 200 {
					e.Signature = sundew.ProofReplayed
				}
			},
			90, 100, "identity_forged",
		},
		{
			"a key behind which attestation is forged", apiKey, 20, 2 * time.Second,
			func(_ int, e *sundew.Event) { e.APIKey, e.Attestation = "k-1", sundew.ProofInvalid },
			90, 100, "identity_forged",
		},
		{
			"a phone repeats a request now and then because the network lost the answer", device, 300, 30 * time.Second,
			func(i int, e *sundew.Event) {
				e.Device, e.Signature = "d-1", sundew.ProofValid
				if i%60 == 20 {
					e.Signature = sundew.ProofReplayed
				}
			},
			0, 2, "",
		},
		{
			"a phone's clock is off until it is set, for three requests", device, 100, 20 * time.Second,
			func(i int, e *sundew.Event) {
				e.Device, e.Signature = "d-1", sundew.ProofValid
				if i >= 40 && i < 43 {
					e.Signature = sundew.ProofInvalid
				}
			},
			0, 10, "",
		},
		{
			"a phone without the platform's services has no attestation all day", device, 2000, 30 * time.Second,
			func(_ int, e *sundew.Event) {
				e.Device, e.Attestation, e.Signature = "d-1", sundew.ProofMissing, sundew.ProofValid
			},
			0, 1, "",
		},
		{
			"a token runs out each hour and is renewed", device, 600, time.Minute,
			func(i int, e *sundew.Event) {
				e.Device, e.Attestation = "d-1", sundew.ProofValid
				if i%60 == 0 {
					e.Attestation = sundew.ProofExpired
				}
			},
			0, 1, "",
		},
		{
			"an office whose browsers sign nothing", ip, 3000, 20 * time.Second,
			func(_ int, e *sundew.Event) { e.Signature = sundew.ProofMissing },
			0, 1, "",
		},
		{
			"a captcha dislikes a privacy tool on every page", ip, 1000, 30 * time.Second,
			func(_ int, e *sundew.Event) { e.CaptchaScore = .1 },
			0, 1, "",
		},
		{
			"an app that nobody asks for proof", device, 500, 30 * time.Second,
			func(_ int, e *sundew.Event) { e.Device = "d-1" },
			0, 1, "",
		},
	})
}

// TestLackOfProofTipsAScale has the same attack twice: without attestation it is found sooner.
func TestLackOfProofTipsAScale(t *testing.T) {
	requestsTo90 := func(attestation sundew.Proof) int {
		e := newEngine(t, 1)
		for i := range 100 {
			score, _ := last(e.Score(sundew.Batch{Events: []sundew.Event{
				request(time.Duration(i)*2*time.Second, client, func(e *sundew.Event) {
					e.Device, e.Auth, e.Attestation = "d-1", sundew.OutcomeFailure, attestation
				}),
			}}), device)
			if score.Points >= 90 {
				return i + 1
			}
		}
		t.Fatalf("failing logins with attestation %s are never found", attestation)
		return 0
	}
	with, without := requestsTo90(sundew.ProofValid), requestsTo90(sundew.ProofMissing)
	if without >= with {
		t.Errorf("found after %d requests with attestation and after %d without it", with, without)
	}
}

func TestProofsOf(t *testing.T) {
	tests := []struct {
		name                   string
		attestation, signature sundew.Proof
		captcha                float64
		want                   proofs
	}{
		{"nobody checked", sundew.ProofUnchecked, sundew.ProofUnchecked, -1, proofs{}},
		{"all well", sundew.ProofValid, sundew.ProofValid, .9, proofs{checked: true, asked: true, watched: true}},
		{"signed, attestation never asked for", sundew.ProofUnchecked, sundew.ProofValid, -1, proofs{checked: true, asked: true}},
		{"attestation ran out", sundew.ProofExpired, sundew.ProofValid, -1, proofs{checked: true, asked: true, unproven: true}},
		{"signature used again", sundew.ProofValid, sundew.ProofReplayed, -1, proofs{checked: true, forged: true}},
		{"forged and nothing else", sundew.ProofMissing, sundew.ProofInvalid, -1, proofs{checked: true, forged: true}},
		{"a machine, says the captcha", sundew.ProofUnchecked, sundew.ProofUnchecked, 0, proofs{watched: true, inhuman: true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := sundew.NewEvent()
			e.Attestation, e.Signature, e.CaptchaScore = test.attestation, test.signature, test.captcha
			if got := proofsOf(&e); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

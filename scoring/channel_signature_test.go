package scoring

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"sundew"
)

func TestSignatureChannel(t *testing.T) {
	searches := func(text func(i int) string) func(int, *sundew.Event) {
		return func(i int, e *sundew.Event) {
			e.Account, e.Path, e.Query = "a-1", "/v1/search", "q="+url.QueryEscape(text(i))
		}
	}
	words := []string{"O'Brien", `"blue lamp"`, "rock 'n' roll", "women's shoes -- size 5", "5' 10\" frame", "price>=10", "tom & jerry's"}
	tell(t, []story{
		{
			"a tool tries injection after injection, and all are answered", ip, 30, 2 * time.Second,
			searches(func(i int) string { return fmt.Sprintf("%d' or '1'='1", i) }),
			90, 100, "signature_attack",
		},
		{
			"a tool hides its attacks among plain requests", account, 150, 2 * time.Second,
			func(i int, e *sundew.Event) {
				e.Account = "a-1"
				if i%5 == 0 {
					e.Path, e.Query = "/v1/files", fmt.Sprintf("name=../../../etc/hosts%d", i)
				}
			},
			90, 100, "signature_attack",
		},
		{
			"a person searches for names with apostrophes", account, 200, 10 * time.Second,
			searches(func(i int) string { return words[i%len(words)] }),
			0, 1, "",
		},
		{
			"a student asks a programmers' site about SQL now and then", account, 200, 20 * time.Second,
			searches(func(i int) string {
				if i%10 == 0 {
					return "SELECT * FROM users WHERE id=1"
				}
				return words[i%len(words)]
			}),
			0, 5, "",
		},
		{
			"an owner checks once whether the settings are exposed", ip, 20, 10 * time.Second,
			func(i int, e *sundew.Event) {
				if i == 5 {
					e.Path, e.Status = "/.env", 404
				}
			},
			0, 2, "",
		},
	})
}

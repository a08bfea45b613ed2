package sim

// platform is what the software of a client shows of itself on every request.
type platform struct {
	agent    string // user agent
	ja4      string // TLS client fingerprint, in JA4's form; the values are made up
	provider string // of attestation; "" where the platform has none
}

var (
	apps = [...]platform{
		{"Tern/7.4.1 (iOS 26.1; iPhone17,3)", "t13d2014h2_a09f3c656075_14788d8d241b", "app-attest"},
		{"Tern/7.4.1 (iOS 18.6; iPhone15,4)", "t13d2014h2_a09f3c656075_7f0f34a4126d", "app-attest"},
		{"Tern/7.3.0 (iOS 18.5; iPhone14,7)", "t13d2014h2_a09f3c656075_7f0f34a4126d", "app-attest"},
		{"Tern/7.4.1 (Android 16; Pixel 9) okhttp/4.12.0", "t13d1412h2_c45550529adf_d9dd6182da81", "play-integrity"},
		{"Tern/7.4.0 (Android 15; SM-S921B) okhttp/4.12.0", "t13d1412h2_c45550529adf_d9dd6182da81", "play-integrity"},
		{"Tern/7.2.3 (Android 13; moto g54) okhttp/4.11.0", "t13d1411h2_c45550529adf_e84d69b6f0a5", "play-integrity"},
	}
	browsers = [...]platform{
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36", "t13d1516h2_8daaf6152771_d8a2da3f94cd", ""},
		{"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "t13d1717h2_5b57614c22b0_3cbfd9057e0d", ""},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15", "t13d2013h2_a09f3c656075_7f0f34a4126f", ""},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1", "t13d2013h2_a09f3c656075_7f0f34a4126f", ""},
	}
	scripts = [...]platform{
		{"python-requests/2.32.5", "t13d1812h1_85036bcba153_b26ce05bbdd6", ""},
		{"Go-http-client/2.0", "t13d1311h2_f57a46bbacb6_ab7e3b40a677", ""},
		{"curl/8.16.0", "t13d3113h2_e8f1e7e78f70_6bebaf5329ac", ""},
		{"axios/1.12.2", "t13d5213h1_b262b3658495_8e6e362c5eac", ""},
	}
	partnerAgent = platform{"acme-replenish/3.2 (+https://acme.example)", "t13d1310h2_61a7ad8aa9b6_3fcd1a44f3e3", ""}
	pollingAgent = platform{"birch-erp/11.4 (sync)", "t13d1310h2_61a7ad8aa9b6_90c1b7e2d4f8", ""}
	monitorAgent = platform{"Heartbeat/1.9 (+https://status.example)", "t13d1311h1_0c5b8f2e6a71_4be0d7731fa5", ""}
	crawlerAgent = platform{"Mozilla/5.0 (compatible; Examplebot/2.1; +https://search.example/bot)", "t13d1210h2_9d7b2ed37d55_b1ae4c7a2f10", ""}
)

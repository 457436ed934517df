package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestProxySettings(t *testing.T) {
	for _, proxy := range []string{"http://proxy.example.com:3128", "https://proxy.example.com", "http://10.0.0.1:8080/"} {
		if e, err := readEnvironment(with(map[string]string{"HTTPS_PROXY": proxy, "NO_PROXY": ".amazonaws.com"})); err != nil || !e.useProxy {
			t.Errorf("%s: %v", proxy, err)
		}
	}
	for _, proxy := range []string{
		"proxy.example.com:3128", "socks5://proxy.example.com", "http://", "http://proxy.example.com/path", "http://proxy.example.com?x=1",
		"http://user:s3cret@proxy.example.com:3128", "http://s3cret@proxy.example.com", "http://proxy.example.com#s3cret", "http://s3cret:x",
	} {
		_, err := readEnvironment(with(map[string]string{"HTTPS_PROXY": proxy}))
		if err == nil || !strings.HasPrefix(err.Error(), "HTTPS_PROXY: is not") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error is %v", proxy, err)
		}
	}
	if e, err := readEnvironment(with(map[string]string{"NO_PROXY": "example.com", "HTTP_PROXY": "http://p", "https_proxy": "http://p", "ALL_PROXY": "http://p"})); err != nil || e.useProxy {
		t.Errorf("without HTTPS_PROXY a proxy is used: %v", err)
	}
}

// Without HTTPS_PROXY no client has a proxy, whatever the environment says.
func TestNoProxyUnlessItIsSet(t *testing.T) {
	if httpsProxy(false) != nil {
		t.Error("there is a proxy")
	}
	t.Setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
	plain, err := url.Parse("http://host.docker.internal:1234/")
	if err != nil {
		t.Fatal(err)
	}
	if proxy, err := httpsProxy(true)(&http.Request{URL: plain}); proxy != nil || err != nil {
		t.Errorf("a request without TLS uses the proxy %v, %v", proxy, err)
	}
}

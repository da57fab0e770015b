package main

import (
	"flag"
	"fmt"
	"net/url"
	"os"

	"go.etcd.io/etcd/server/v3/embed"
)

// etcd runs a single-member store and prints "etcd ready URL" once it serves.
// It may be asked to listen on port 0, so that no free port has to be guessed.
func etcd() int {
	flags := flag.NewFlagSet("etcd", flag.ExitOnError)
	dataDir := flags.String("data-dir", "", "directory of the store")
	listen := flags.String("listen", "127.0.0.1:0", "address for clients")
	_ = flags.Parse(os.Args[1:])
	if *dataDir == "" {
		fmt.Fprintln(os.Stderr, "etcd: --data-dir is missing")
		return 2
	}

	client := url.URL{Scheme: "http", Host: *listen}
	config := embed.NewConfig()
	config.Dir = *dataDir
	config.LogLevel = "warn"
	config.ListenClientUrls = []url.URL{client}
	config.AdvertiseClientUrls = []url.URL{client}
	config.ListenPeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config.UnsafeNoFsync = true // the data does not outlive the test

	server, err := embed.StartEtcd(config)
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcd:", err)
		return 1
	}
	<-server.Server.ReadyNotify()
	fmt.Printf("etcd ready http://%s\n", server.Clients[0].Addr())
	fmt.Fprintln(os.Stderr, "etcd:", <-server.Err())
	return 1
}

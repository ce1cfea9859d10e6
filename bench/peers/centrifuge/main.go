// A server of the Centrifuge library with history and recovery, for the benchmark to stand beside.
//
// PORT is where it listens on the loopback; REDIS_URL chooses the Redis broker, else history is in memory.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/centrifugal/centrifuge"
)

const (
	historySize = 1_000_000
	historyTTL  = 10 * time.Minute
)

func main() {
	node, err := centrifuge.New(centrifuge.Config{
		LogLevel:   centrifuge.LogLevelError,
		LogHandler: func(entry centrifuge.LogEntry) { log.Println(entry.Message, entry.Fields) },
		// A reader that is behind is given what it missed, as Heldline gives it.
		ClientQueueMaxSize: 64 << 20,
	})
	must(err)
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{UserID: "bench"}}, nil
	})
	node.OnConnect(func(client *centrifuge.Client) { serve(node, client) })
	if url := os.Getenv("REDIS_URL"); url != "" {
		useRedis(node, url)
	}
	must(node.Run())

	http.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		CheckOrigin: func(*http.Request) bool { return true },
	}))
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	must(err)
	server := &http.Server{}
	go func() {
		if err := server.Serve(listener); err != http.ErrServerClosed {
			log.Fatal(err)
		}
	}()
	fmt.Println("ready")

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
	_ = server.Close()
	_ = node.Shutdown(context.Background())
}

func serve(node *centrifuge.Node, client *centrifuge.Client) {
	client.OnSubscribe(func(_ centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
		options := centrifuge.SubscribeOptions{EnableRecovery: true, EnablePositioning: true}
		done(centrifuge.SubscribeReply{Options: options}, nil)
	})
	client.OnPublish(func(event centrifuge.PublishEvent, done centrifuge.PublishCallback) {
		result, err := node.Publish(event.Channel, event.Data, centrifuge.WithHistory(historySize, historyTTL))
		done(centrifuge.PublishReply{Result: &result}, err)
	})
}

func useRedis(node *centrifuge.Node, url string) {
	shard, err := centrifuge.NewRedisShard(node, centrifuge.RedisShardConfig{Address: url})
	must(err)
	broker, err := centrifuge.NewRedisBroker(node, centrifuge.RedisBrokerConfig{
		Shards: []*centrifuge.RedisShard{shard},
	})
	must(err)
	node.SetBroker(broker)
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Reaches four products of Google's with unchanged clients; prints a line for each.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"cloud.google.com/go/firestore"
	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	run "cloud.google.com/go/run/apiv2"
	"cloud.google.com/go/run/apiv2/runpb"
	"cloud.google.com/go/storage"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	ctx, project := context.Background(), os.Getenv("GOOGLE_CLOUD_PROJECT")

	bucket := must(storage.NewClient(ctx)).Bucket("judged-by-go")
	if err := bucket.Create(ctx, project, nil); err != nil {
		log.Fatal(err)
	}
	writer := bucket.Object("a/b").NewWriter(ctx)
	writer.ChunkSize = 256 * 1024
	must(writer.Write(make([]byte, 600_000)))
	if err := writer.Close(); err != nil {
		log.Fatal(err)
	}
	content := must(io.ReadAll(must(bucket.Object("a/b").NewReader(ctx))))
	fmt.Println("storage", len(content))

	document := must(firestore.NewClientWithDatabase(ctx, project, "rollback")).Doc("judged/go")
	must(document.Set(ctx, map[string]int{"x": 1}))
	fmt.Println("firestore", must(document.Get(ctx)).Data()["x"])

	topics := must(pubsub.NewClient(ctx, project)).TopicAdminClient
	topic := fmt.Sprintf("projects/%s/topics/rollback-alerts", project)
	must(topics.GetTopic(ctx, &pubsubpb.GetTopicRequest{Topic: topic}))
	fmt.Println("pubsub found")

	parent := fmt.Sprintf("projects/%s/locations/%s", project, os.Getenv("REGION"))
	services := must(run.NewServicesClient(ctx)).ListServices(ctx, &runpb.ListServicesRequest{Parent: parent})
	must(services.Next())
	fmt.Println("run found")
}

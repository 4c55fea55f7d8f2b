// Reaches four products of Google's with unchanged clients; prints a line for each.
const {Firestore} = require('@google-cloud/firestore');
const {PubSub} = require('@google-cloud/pubsub');
const {ServicesClient} = require('@google-cloud/run').v2;
const {Storage} = require('@google-cloud/storage');

async function main() {
  const project = process.env.GOOGLE_CLOUD_PROJECT;

  const [bucket] = await new Storage().createBucket('judged-by-node');
  await bucket.file('a/b').save(Buffer.alloc(600_000), {resumable: true});
  const [content] = await bucket.file('a/b').download();
  console.log('storage', content.length);

  const document = new Firestore({databaseId: 'rollback'}).doc('judged/node');
  await document.set({x: 1});
  console.log('firestore', (await document.get()).data().x);

  await new PubSub().topic('rollback-alerts').getMetadata();
  console.log('pubsub found');

  const parent = `projects/${project}/locations/${process.env.REGION}`;
  const [services] = await new ServicesClient().listServices({parent});
  console.log('run', services.length ? 'found' : 'empty');
}

main().then(() => process.exit(0), error => { console.error(error); process.exit(1); });

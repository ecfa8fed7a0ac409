// What users of the AWS SDK for JavaScript do: commands, streams of unknown length, uploads in
// parts, presigned URLs, paginators.
import { createRequire } from "node:module";
import { Readable } from "node:stream";
import { createHash, randomBytes } from "node:crypto";
import assert from "node:assert/strict";

const require = createRequire(`${process.env.NODE_PATH}/`);
const S3 = require("@aws-sdk/client-s3");
const { Upload } = require("@aws-sdk/lib-storage");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");

const Bucket = process.argv[2];
const client = new S3.S3Client({ forcePathStyle: true });
const send = (name, input) => client.send(new S3[`${name}Command`]({ Bucket, ...input }));

await send("CreateBucket", {});
await S3.waitUntilBucketExists({ client, maxWaitTime: 10 }, { Bucket });
const data = randomBytes(12_000_007);

for (const ChecksumAlgorithm of ["CRC32", "SHA1", "SHA256"]) {
  const Key = `a/${ChecksumAlgorithm} é+%`;
  await send("PutObject", { Key, Body: data, ChecksumAlgorithm, Metadata: { a: "1" } });
  const found = await send("GetObject", { Key, ChecksumMode: "ENABLED" });
  assert.deepEqual(Buffer.from(await found.Body.transformToByteArray()), data);
  assert.equal(found.Metadata.a, "1");
  assert.ok(found[`Checksum${ChecksumAlgorithm}`]);
}

// a stream: aws-chunked with the checksum behind it
await send("PutObject", { Key: "stream", Body: Readable.from([data]), ContentLength: data.length });
const stream = await send("GetObject", { Key: "stream" });
assert.equal(stream.ETag, `"${createHash("md5").update(data).digest("hex")}"`);
assert.equal(stream.ContentEncoding, undefined);
await stream.Body.transformToByteArray();

await new Upload({
  client,
  params: { Bucket, Key: "parts", Body: Readable.from([data]) },
  partSize: 5 << 20,
}).done();
const parts = await send("GetObject", { Key: "parts", Range: "bytes=5242870-5242890" });
assert.deepEqual(Buffer.from(await parts.Body.transformToByteArray()), data.subarray(5242870, 5242891));

await send("CopyObject", { Key: "copy", CopySource: encodeURI(`${Bucket}/a/SHA1 é+%`) });
await send("PutObjectTagging", { Key: "copy", Tagging: { TagSet: [{ Key: "t", Value: "ü" }] } });
assert.deepEqual((await send("GetObjectTagging", { Key: "copy" })).TagSet, [{ Key: "t", Value: "ü" }]);

const url = await getSignedUrl(client, new S3.PutObjectCommand({ Bucket, Key: "by url" }));
assert.equal((await fetch(url, { method: "PUT", body: "by url" })).status, 200);
const get = await getSignedUrl(client, new S3.GetObjectCommand({ Bucket, Key: "by url" }));
assert.equal(await (await fetch(get)).text(), "by url");

const keys = [];
for await (const page of S3.paginateListObjectsV2({ client, pageSize: 2 }, { Bucket })) {
  keys.push(...(page.Contents ?? []).map((item) => item.Key));
}
assert.equal(keys.length, 7);
await assert.rejects(send("GetObject", { Key: "nothing" }), { name: "NoSuchKey" });
await assert.rejects(send("PutBucketVersioning", { VersioningConfiguration: { Status: "Enabled" } }),
  { name: "NotImplemented" });
await send("DeleteObjects", { Delete: { Objects: keys.map((Key) => ({ Key })) } });
await send("DeleteBucket", {});
console.log("done");

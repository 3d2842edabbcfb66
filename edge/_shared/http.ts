/** Small pieces of HTTP that more than one function needs. */
import { gzipSync } from "node:zlib";

/**
 * The path below a function's own name, without slashes at its ends.
 *
 * A function is reached as `/functions/v1/<name>/…` locally and as `/<name>/…` when hosted.
 */
export function pathBelow(functionName: string, url: URL): string {
  const segments = url.pathname.split("/").filter((segment) => segment !== "");
  return segments.slice(segments.indexOf(functionName) + 1).join("/");
}

/** Whether an `If-None-Match` header names this entity tag (RFC 9110 §13.1.2: weak comparison). */
export function matchesEtag(header: string | null, etag: string): boolean {
  if (header === null) return false;
  if (header.trim() === "*") return true;
  const opaque = (tag: string) => tag.trim().replace(/^W\//, "");
  return header.split(",").some((tag) => opaque(tag) === opaque(etag));
}

/** Whether an `Accept-Encoding` header allows gzip (RFC 9110 §12.5.3). */
export function acceptsGzip(header: string | null): boolean {
  return (header ?? "").split(",").some((coding) => {
    const [name, ...parameters] = coding.trim().toLowerCase().split(/\s*;\s*/);
    return name === "gzip" && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}

/** As small as it gets: `memLevel` 6 makes shorter blocks, each with a code of its own. */
export function gzip(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(gzipSync(bytes, { level: 9, memLevel: 6 }));
}

/** An error body as the service writes it (RFC 9457), with a stable code for programs. */
export function problem(
  status: number,
  code: string,
  detail: string,
  headers: Record<string, string> = {},
): Response {
  return new Response(
    JSON.stringify({ type: "about:blank", title: titles[status], status, detail, code }),
    {
      status,
      headers: {
        "Content-Type": "application/problem+json",
        "Cache-Control": "no-store",
        ...headers,
      },
    },
  );
}

const titles: Record<number, string> = {
  401: "Unauthorized",
  404: "Not Found",
  405: "Method Not Allowed",
  422: "Unprocessable Content",
  503: "Service Unavailable",
};

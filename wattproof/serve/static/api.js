// Reads the data API. An answer that is none (no connection, an error, no JSON) is an ApiProblem with one line to show.

const PATIENCE = 15_000; // milliseconds

/** Largest page that the API gives. */
export const MAX_PAGE = 200;

export class ApiProblem extends Error {
  /** `status`: the HTTP status; 0 where nobody answered. */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** What `/api/v1/<path>` answers. Parameters that are null, undefined or "" are left out. */
export async function get(path, parameters = {}) {
  const url = new URL(`api/v1/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, value);
  }
  let response;
  try {
    response = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  } catch {
    throw new ApiProblem("The data API does not answer.", 0);
  }
  const answer = await response.json().catch(() => null);
  const { ok, status } = response;
  if (!ok) throw new ApiProblem(answer?.error ?? `The data API answers with error ${status}.`, status);
  if (answer === null) throw new ApiProblem("The data API answers with something that is no JSON.", status);
  return answer;
}

/** The same, or null where there is no such thing (404). */
export async function find(path, parameters = {}) {
  try {
    return await get(path, parameters);
  } catch (problem) {
    if (problem.status === 404) return null;
    throw problem;
  }
}

/** The address of the stream of what is new. */
export function streamAddress() {
  return new URL("api/v1/stream", document.baseURI);
}

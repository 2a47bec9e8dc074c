// Something that is loaded when it is first needed; a load that failed is tried again.
// Knows nothing about what is loaded or how.

/** @import { SetTimer } from "../types.js" */

const RETRY_MS = 1000;

/**
 * Call this whenever the thing may be needed. Until it has loaded, the call does nothing else.
 * @template T
 * @param {Object} options
 * @param {() => boolean} options.isNeeded
 * @param {() => Promise<T>} options.load
 * @param {(thing: T) => void} options.use called on each call, and when the load is done
 * @param {(error: unknown) => void} options.onError
 * @param {SetTimer} options.setTimer
 */
export function lazily({ isNeeded, load, use, onError, setTimer }) {
  /** @type {T|null} */
  let thing = null;
  let isLoading = false; // or waiting to try again

  function call() {
    if (thing !== null) use(thing);
    else if (!isLoading && isNeeded()) void bring();
  }

  async function bring() {
    isLoading = true;
    try {
      thing = await load();
    } catch (error) {
      onError(error);
      setTimer(() => {
        isLoading = false;
        call();
      }, RETRY_MS);
      return;
    }
    call();
  }

  return call;
}

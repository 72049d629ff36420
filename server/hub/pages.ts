/**
 * Shared reads of the history, for catch-up and gaps. Pages are aligned, so that 10,000 clients that recover the same channel from
 * different positions need the same few reads. Reads are single-flight per page, and recent pages are cached.
 */
import type { HistoryReader, Page } from '../history/types.ts';
import { encodeMessage } from '../protocol/codec.ts';
import { Segment } from './segment.ts';

export interface PagesOptions {
  readonly history: HistoryReader;
  readonly pageSize: number;
  /** Most reads in flight; the others wait in order. */
  readonly concurrency: number;
  readonly cacheBytes: number;
}

/** The messages after an offset, in one snapshot. `segment` begins with the next offset; null: the snapshot has none. */
export interface PageAfter {
  readonly epoch: string;
  readonly top: number;
  readonly segment: Segment | null;
  /** Retention removed the messages right after the offset. */
  readonly lost: boolean;
}

interface CachedPage {
  readonly epoch: string;
  readonly top: number;
  readonly segment: Segment | null;
}

export class Pages {
  private readonly options: PagesOptions;
  private readonly inFlight = new Map<string, Promise<CachedPage>>();
  /** Least recently used first. */
  private readonly cache = new Map<string, CachedPage & { readonly segment: Segment }>();
  private cachedBytes = 0;
  private running = 0;
  private readonly queue: (() => void)[] = [];

  constructor(options: PagesOptions) {
    this.options = options;
  }

  /**
   * The messages after `offset`, up to the end of their page.
   * @throws AppError `unavailable` when the history cannot be read
   */
  async after(channel: string, epoch: string, offset: number): Promise<PageAfter> {
    const start = Math.floor(offset / this.options.pageSize) * this.options.pageSize;
    const key = `${epoch} ${start} ${channel}`;
    const cached = this.fromCache(key, offset);
    if (cached) return cached;
    let read = this.inFlight.get(key);
    if (!read) {
      read = this.limit(() => this.read(channel, start, key)).finally(() => this.inFlight.delete(key));
      this.inFlight.set(key, read);
    }
    return pageAfter(await read, offset);
  }

  private fromCache(key: string, offset: number): PageAfter | undefined {
    const page = this.cache.get(key);
    if (!page || page.segment.first > offset + 1 || page.segment.last <= offset) return undefined;
    this.cache.delete(key);
    this.cache.set(key, page);
    return pageAfter(page, offset);
  }

  private async read(channel: string, start: number, key: string): Promise<CachedPage> {
    const page = await this.options.history.read(channel, { after: start, limit: this.options.pageSize });
    const segment = toSegment(channel, page);
    const result = { epoch: page.epoch, top: page.top, segment };
    if (segment && key.startsWith(`${page.epoch} `)) this.remember(key, { ...result, segment });
    return result;
  }

  private remember(key: string, page: CachedPage & { readonly segment: Segment }): void {
    this.forget(key);
    this.cache.set(key, page);
    this.cachedBytes += page.segment.bytes.length;
    for (const oldest of this.cache.keys()) {
      if (this.cachedBytes <= this.options.cacheBytes) break;
      this.forget(oldest);
    }
  }

  private forget(key: string): void {
    this.cachedBytes -= this.cache.get(key)?.segment.bytes.length ?? 0;
    this.cache.delete(key);
  }

  private async limit<T>(run: () => Promise<T>): Promise<T> {
    if (this.running >= this.options.concurrency) await new Promise<void>((resolve) => this.queue.push(resolve));
    this.running++;
    try {
      return await run();
    } finally {
      this.running--;
      this.queue.shift()?.();
    }
  }
}

function pageAfter(page: CachedPage, offset: number): PageAfter {
  const { epoch, top, segment } = page;
  const holds = segment !== null && segment.first <= offset + 1 && segment.last > offset;
  if (holds) return { epoch, top, segment: segment.from(offset + 1), lost: false };
  // Offsets have no holes: if `top` is beyond `offset` and the next message is absent, retention removed it.
  return { epoch, top, segment: null, lost: top > offset };
}

function toSegment(channel: string, page: Page): Segment | null {
  const first = page.messages[0];
  if (!first) return null;
  const texts = page.messages.map((message) => encodeMessage(channel, message));
  const times = page.messages.map(({ createdAt }) => createdAt);
  return Segment.fromTexts(first.offset, texts, times);
}

/** One event as it came. */
export interface RawEvent {
    event: string;
    data: string;
    id: string;
}
/** The events of a stream (HTML, §9.2.6). Comments and what has no data are left out. */
export declare function parse(body: ReadableStream<Uint8Array>): AsyncGenerator<RawEvent>;

// What the objects look like (RFC 8621, RFC 9425). Properties that only the server sets are readonly.
export {};

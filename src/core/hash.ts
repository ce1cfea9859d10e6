/** SHA-256 of a text's UTF-8, as 64 hex digits: a port, since the core brings no cryptography of its own. */
export type Hash = (text: string) => string

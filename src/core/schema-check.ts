/** JSON Schema as a port: what a question asks its answer to be like. */
export interface SchemaCheck {
  /** @returns why the schema cannot be understood; `null`: it can */
  refuse(schema: Readonly<Record<string, unknown>>): string | null
  /**
   * Of a schema that was understood. In bounded time, whatever the schema and the value are.
   * @returns what of the value does not fit; `null`: it fits
   */
  misfit(schema: Readonly<Record<string, unknown>>, value: unknown): string | null
}

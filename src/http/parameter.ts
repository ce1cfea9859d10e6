/** A parameter of a query, or a header: a sentence, and which texts it may have. Where that is left out, any. */
export type Parameter =
  | string
  | { readonly about: string; readonly form: ParameterForm; readonly required?: true }

/** JSON Schema, as far as a text in a query or a header can be described. */
export type ParameterForm =
  | { readonly type: 'integer'; readonly minimum: number; readonly maximum?: number }
  | { readonly type: 'string'; readonly enum: readonly string[] }
  | { readonly type: 'string'; readonly pattern: string }

export function whole(minimum: number, maximum: number | null, about: string): Parameter {
  return { about, form: { type: 'integer', minimum, ...(maximum !== null && { maximum }) } }
}

export function choice(values: readonly string[], about: string): Parameter {
  return { about, form: { type: 'string', enum: values } }
}

export function like(pattern: RegExp, about: string): Parameter {
  return { about, form: { type: 'string', pattern: pattern.source } }
}

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: object
}

interface Operation {
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>
}

type Content = Readonly<Record<string, { readonly schema: object }>>

interface Given {
  readonly method: string
  readonly path: string
  readonly status: number
  /** Without what follows the `;`. */
  readonly type: string
  readonly json: unknown
}

/** Holds what a server answers against what its own /openapi.json says of it: every field that comes is described, every code and media type is listed. */
export class Described {
  readonly #document: Document
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
  readonly #checks = new Map<string, ValidateFunction>()

  constructor(document: Document) {
    this.#document = document
  }

  /** @returns what is not as described; `null`: all is */
  wrong({ method, path, status, type, json }: Given): string | null {
    const found = this.#operation(method, path)
    // There is nothing at the path, or not by this method.
    if (found === null) return null
    const { name, operation } = found
    const content = operation.responses[String(status)]?.content
    if (operation.responses[String(status)] === undefined) return `${name} has no answer ${status}`
    if (json === undefined) return null
    const schema = content?.[type]?.schema
    if (schema === undefined) return `${name} has no ${type} for ${status}`
    const check = this.#check(`${name} ${status} ${type}`, schema)
    return check(json) ? null : `${name} ${status}: ${this.#ajv.errorsText(check.errors)}`
  }

  #operation(method: string, path: string): { name: string; operation: Operation } | null {
    const [bare = ''] = path.split('?', 1)
    const template = Object.keys(this.#document.paths)
      .filter((one) => new RegExp(`^${one.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(bare))
      // A path without names stands for itself.
      .toSorted((a, b) => a.split('{').length - b.split('{').length)[0]
    const operation = this.#document.paths[template ?? '']?.[method.toLowerCase()]
    return operation === undefined ? null : { name: `${method} ${template}`, operation }
  }

  #check(name: string, schema: object): ValidateFunction {
    const known = this.#checks.get(name)
    if (known !== undefined) return known
    const closed = { ...(close(schema) as object), components: this.#document.components }
    const check = this.#ajv.compile(closed)
    this.#checks.set(name, check)
    return check
  }
}

/** A schema that leaves other fields open, for what is to come, takes none here: what comes today is to be described today. */
function close(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(close)
  if (typeof schema !== 'object' || schema === null) return schema
  const inner = Object.fromEntries(Object.entries(schema).map(([key, one]) => [key, close(one)]))
  return 'properties' in schema && !('additionalProperties' in schema)
    ? { ...inner, additionalProperties: false }
    : inner
}

import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')

/** The examples of a page of the documentation, by the name in the `<!-- run: name -->` before each. */
export interface Page {
  /** @throws Error where the page has no such example */
  readonly example: (name: string) => string
  /** The names of all that are marked as such, in order. */
  readonly names: readonly string[]
}

/** @param path from the root of the project */
export function readPage(path: string): Page {
  const text = readFileSync(join(ROOT, path), 'utf8')
  const blocks = [...text.matchAll(/<!-- run: (\S+) -->\n```\w+\n([\s\S]*?)\n```/g)]
  return {
    names: [...text.matchAll(/<!-- run: (\S+) -->/g)].map(([, name = '']) => name),
    example: (name) => {
      const block = blocks.find((one) => one[1] === name)?.[2]
      if (block === undefined) throw new Error(`${path} has no example ${name}`)
      return block
    },
  }
}

/** An example as the module that it is. It lies within the package until the test ends, and so finds all that the package's own files do. */
export async function importExample<T>(
  page: Page,
  name: string,
  change = (text: string) => text,
): Promise<T> {
  const folder = await mkdtemp(join(ROOT, '.vitest-docs-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = join(folder, `${name}.tsx`)
  await writeFile(file, change(page.example(name)))
  return (await import(/* @vite-ignore */ file)) as T
}

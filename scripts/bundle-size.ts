import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

export interface BundleSize {
  /** Bytes that a page downloads before it can begin: the entry, and all that it imports statically, each file gzipped by itself. */
  readonly initial: number
  /** Bytes that it downloads only where it comes to that. */
  readonly onDemand: number
  /** The sources, relative to the root of the package. */
  readonly sources: readonly string[]
}

/** What a browser downloads of an entry, bundled and minified. */
export async function bundleSize(root: string, entry: string): Promise<BundleSize> {
  const { outputFiles, metafile } = await build({
    entryPoints: [entry],
    absWorkingDir: root,
    outdir: '/out',
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    // A page that takes our part of it has it already.
    external: ['react'],
    target: 'es2022',
    write: false,
    metafile: true,
  })
  const outputs = Object.entries(metafile.outputs)
  const sizes = new Map(
    // In the order of the outputs, whose names are relative to the root.
    outputs.map(([name], index) => [name, gzipSync(outputFiles[index]?.contents ?? '').length]),
  )
  const first = outputs.find(([, output]) => output.entryPoint === entry)?.[0]
  if (first === undefined) throw new Error(`unable to measure ${entry}; the bundle has no entry`)
  const initial = new Set([first])
  for (const name of initial) {
    for (const { path, kind } of metafile.outputs[name]?.imports ?? []) {
      if (kind === 'import-statement') initial.add(path)
    }
  }
  const sum = (wanted: (name: string) => boolean): number =>
    [...sizes].reduce((total, [name, size]) => total + (wanted(name) ? size : 0), 0)
  return {
    initial: sum((name) => initial.has(name)),
    onDemand: sum((name) => !initial.has(name)),
    sources: Object.keys(metafile.inputs),
  }
}

// Writes the files that are rendered from tables of the source: run it after a table changes; tests hold them equal.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { renderEnvExample } from '../src/config.ts'
import { renderErrors } from './render-errors.ts'
import { renderMetrics } from './render-metrics.ts'
import { figuresOf, readResults, renderScale } from './render-scale.ts'

mkdirSync('docs', { recursive: true })
writeFileSync('.env.example', renderEnvExample())
writeFileSync('docs/errors.md', renderErrors())
writeFileSync('docs/metrics.md', renderMetrics(readFileSync('docs/metrics.md', 'utf8')))
const figures = figuresOf(readResults('.'))
writeFileSync('docs/scale.md', renderScale(readFileSync('docs/scale.md', 'utf8'), figures))

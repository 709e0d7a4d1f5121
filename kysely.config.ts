/** Where kysely-ctl (not a dependency: `npx kysely-ctl migrate make <name>`) puts a new migration. Applying is `carillon migrate`. */
export default {
  migrations: {
    migrationFolder: 'migrations',
    getMigrationPrefix: (): string => `${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}-`,
  },
}
